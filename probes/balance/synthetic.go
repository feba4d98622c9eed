package balance

import (
	"fmt"
	"iter"
	"net/netip"
)

// ClientFor returns the nth client address, from 0, that p sends to a server line. Each
// address is in another /24, because ip_hash uses no more of it, and most have another last
// octet than the one before, because HAProxy uses the address modulo the number of
// servers. The result is always the same, so that a canary keeps its address after a
// restart. Clients are preferred that other lists of servers move, see moveCounter: otherwise all
// canaries could happen to stay where a changed list moves most users.
//
// The addresses are in 198.18.0.0/15, which RFC 2544 reserves for benchmarks and which
// no user has, and after those in 10.0.0.0/8. ok is false if there is no such client:
// the server is down, a backup, or its share is too small.
func ClientFor(p Picker, server, n int) (client netip.Addr, ok bool) {
	text, ok := nth(p, server, n, syntheticClients())
	if !ok {
		return netip.Addr{}, false
	}
	return netip.MustParseAddr(text), true
}

// KeyFor is ClientFor for keys. It returns the nth, from 0, of "stickwatch-0",
// "stickwatch-1", ... that p sends to a server line.
func KeyFor(p Picker, server, n int) (key string, ok bool) {
	return nth(p, server, n, syntheticKeys())
}

// A moveCounter is a Picker that knows how often a key leaves a server line that has it, by other
// lists of servers: one without each other line and, unless ejections change the list, one
// with a line more.
type moveCounter interface {
	moves(server int) func(key string) int
}

// The keys of a server line, and the candidates, that show by how many other lists one can be
// moved.
const (
	sampledKeys       = 16
	sampledCandidates = 1000
)

// nth returns the nth candidate that p sends to a server line, of those that most other
// lists move.
func nth(p Picker, server, n int, candidates iter.Seq[string]) (string, bool) {
	has := func(key string) bool { line, ok := p.Pick(key); return ok && line == server }
	moves, most := func(string) int { return 0 }, 0
	if m, ok := p.(moveCounter); ok {
		moves = m.moves(server)
		keys, seen := 0, 0
		for key := range candidates {
			if has(key) {
				most = max(most, moves(key))
				keys++
			}
			if seen++; keys == sampledKeys || seen == sampledCandidates {
				break
			}
		}
	}
	for key := range candidates {
		if !has(key) || moves(key) < most {
			continue
		}
		if n == 0 {
			return key, true
		}
		n--
	}
	return "", false
}

// syntheticClients yields an address of each /24 of the two blocks: 66,048.
func syntheticClients() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, block := range [...]netip.Prefix{
			netip.MustParsePrefix("198.18.0.0/15"),
			netip.MustParsePrefix("10.0.0.0/8"),
		} {
			octets := block.Addr().As4()
			for i := range 1 << (24 - block.Bits()) {
				client := netip.AddrFrom4([4]byte{octets[0], octets[1] + byte(i>>8), byte(i), byte(1 + (i+i/256)%254)})
				if !yield(client.String()) {
					return
				}
			}
		}
	}
}

// syntheticKeys yields 65,536 keys. A share of 1 in 5,000 gets 13 of them on average; a
// smaller one is not worth a canary.
func syntheticKeys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range 1 << 16 {
			if !yield(fmt.Sprintf("stickwatch-%d", i)) {
				return
			}
		}
	}
}
