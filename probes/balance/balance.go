// Package balance is the balancers' own arithmetic: which server line of an
// nginx upstream block a client or a key is sent to.
//
// Asking the balancer costs a request and tells one client's fate. Computing
// it costs nanoseconds and tells everybody's: where millions of clients of a
// log went, where they go when a server is ejected, and which address a prober
// must show to reach the server it wants. That is only worth something if it
// is exact, so the algorithms follow nginx 1.22
// (src/http/modules/ngx_http_upstream_{ip_hash,hash}_module.c) step by step,
// and the tests hold them against picks recorded from a running nginx.
//
// What hashing does not decide, nobody outside nginx can tell: after 21
// refusals, or with an empty key, it takes the next server of its round robin,
// whose position depends on every request before. Pick then says so rather
// than guess, unless a single server is left to choose from.
//
// Each server line counts as one server. A host name that resolves to several
// addresses makes several servers of one line, and max_conns refuses a server
// that is merely busy: neither can be seen from here.
package balance

import (
	"hash/crc32"
	"slices"
)

// A Picker tells which server an upstream block gives to a client. It never
// changes, and may be used by any number of goroutines.
type Picker interface {
	// Pick returns the index of the server line that gets key. The servers in
	// without are ejected: skipped, but still counted in the hash, as in nginx
	// after max_fails. When nobody can tell, ok is false and index is -1.
	Pick(key string, without ...int) (index int, ok bool)
}

const noServer = -1

// tries is how many servers nginx looks at before it stops hashing: its
// counter of refusals has to pass 20.
const tries = 21

// A Server is one server line of an upstream block. Its place in the block
// matters: hashing walks the lines in the order of the file.
type Server struct {
	// Name is the line's argument as written, such as "10.0.0.1:8080" or
	// "unix:/run/app.sock". The consistent hash is made of these letters: the
	// same address spelt otherwise moves clients.
	Name string

	// Weight is the line's share of the clients. Below 1 it means 1, which is
	// nginx's default.
	Weight int

	// Down servers get nobody, and keep their share of the hash so that the
	// clients of the others stay where they are.
	Down bool

	// Backup servers have no share of the hash. nginx refuses one after
	// `ip_hash` or `hash`, yet takes it where the server line comes first:
	// then it serves when no other server is left.
	Backup bool
}

// A pool is what all methods know of an upstream block.
type pool struct {
	shares    []int // by line: its part of total; 0 for a backup
	total     int
	down      []bool // by line
	primaries []int  // lines that hashing can reach
	backups   []int
}

func newPool(servers []Server) pool {
	p := pool{
		shares: make([]int, len(servers)),
		down:   make([]bool, len(servers)),
	}
	for line, s := range servers {
		p.down[line] = s.Down
		if s.Backup {
			p.backups = append(p.backups, line)
			continue
		}
		p.primaries = append(p.primaries, line)
		p.shares[line] = max(s.Weight, 1)
		p.total += p.shares[line]
	}
	return p
}

// usesHash tells whether the method comes into play at all: nginx goes by round
// robin where there is nothing to choose between.
func (p *pool) usesHash() bool { return len(p.primaries) > 1 }

// line returns the server line that a hash value falls on.
func (p *pool) line(hash uint) int {
	rest := int(hash % uint(p.total))
	for line, share := range p.shares {
		if rest < share {
			return line
		}
		rest -= share
	}
	panic("unreachable: rest is below the sum of the shares")
}

// accepts tells whether a server accepts clients.
func (p *pool) accepts(line int, without []int) bool {
	return !p.down[line] && !slices.Contains(without, line)
}

// available counts the lines that accept clients, and returns one of them.
func (p *pool) available(lines, without []int) (line, count int) {
	line = noServer
	for _, l := range lines {
		if p.accepts(l, without) {
			line = l
			count++
		}
	}
	return line, count
}

// roundRobin is where nginx turns when hashing found nobody. Whose turn it is
// depends on requests unseen, so the answer is certain only when one server is
// left: of the primaries, else of the backups.
func (p *pool) roundRobin(without []int) (line int, ok bool) {
	if len(p.shares) == 1 {
		without = nil // nginx never ejects the only server it has
	}
	for _, lines := range [...][]int{p.primaries, p.backups} {
		switch line, count := p.available(lines, without); count {
		case 0:
			continue
		case 1:
			return line, true
		default:
			return noServer, false
		}
	}
	return noServer, false
}

// checksum adds text to a CRC-32 (IEEE); that of nothing is 0.
//
// crc32.Update does the same, but its argument escapes to the heap, and a
// string has to be copied for it: two allocations a pick. Keys are too short
// for its vector instructions to pay for that.
func checksum[T string | []byte](crc uint32, text T) uint32 {
	crc = ^crc
	for i := range len(text) {
		crc = crc32.IEEETable[byte(crc)^text[i]] ^ crc>>8
	}
	return ^crc
}
