package balance

import (
	"fmt"
	"iter"
	"net/netip"
)

// ClientFor returns the nth client address, from 0, that p sends to a server line. Each
// address is in another /24, because ip_hash uses no more of it, and has another last
// octet than the one before, because HAProxy uses the address modulo the number of
// servers. The result is always the same, so that a canary keeps its address after a
// restart. Under Source, where a server that is out moves clients of others, clients are
// preferred that move with as many of the other servers as possible.
//
// The addresses are in 198.18.0.0/15, which RFC 2544 reserves for benchmarks and which
// no user has, and after those in 10.0.0.0/8. ok is false if there is no such client:
// the server is down, a backup, or its share is too small.
func ClientFor(p Picker, server, n int) (client netip.Addr, ok bool) {
	candidates := syntheticClients()
	if s, ok := p.(*source); ok {
		candidates = s.mobileClients(server)
	}
	text, ok := nth(p, server, n, candidates)
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

// nth returns the nth candidate that p sends to a server line.
func nth(p Picker, server, n int, candidates iter.Seq[string]) (string, bool) {
	for key := range candidates {
		if line, ok := p.Pick(key); !ok || line != server {
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
