// Package balance computes to which server line of an nginx upstream block, or of an
// HAProxy backend, a client or a key is sent.
//
// A request to the balancer shows the node of one client. The computation takes
// nanoseconds and gives the node of every client: where the clients of an access log
// went, where they go when a server is ejected, and which address a prober must present
// to reach a given server. The result is useful only if it is exact. The algorithms
// therefore follow nginx 1.22
// (src/http/modules/ngx_http_upstream_{ip_hash,hash}_module.c) and HAProxy 2.6 line by
// line, and the tests compare them with picks recorded from running ones.
//
// In some cases the result depends on more than the hash. After 21 refused servers, or
// with an empty key, nginx takes the next server of its round robin, whose position
// depends on all earlier requests. Pick then reports that the server is unknown, unless
// only one is left.
//
// Each server line counts as one server. Two properties cannot be computed: a host name
// that resolves to several addresses makes several servers of one line, and max_conns
// refuses a server that is busy.
package balance

import "slices"

// A Picker computes which server of an upstream block a client gets. It is immutable,
// and safe for concurrent use.
type Picker interface {
	// Pick returns the index of the server line that gets key. The servers in without
	// are ejected: in nginx, after max_fails, they are skipped but still count in the
	// hash. If the server is unknown, ok is false and index is -1. For IPHash and Source,
	// key is the address of the client ($remote_addr); for Hash and ConsistentHash it is the
	// value of the expression that is hashed.
	Pick(key string, without ...int) (index int, ok bool)
}

const noServer = -1

// tries is the number of servers that nginx considers before it stops hashing: its
// counter of refusals must exceed 20.
const tries = 21

// A Server is one server line of an upstream block. The order of the lines matters,
// because hashing follows it.
type Server struct {
	// Name is the line's argument as written, such as "10.0.0.1:8080" or
	// "unix:/run/app.sock". The consistent hash uses the text, so another spelling of
	// the same address moves clients.
	Name string

	// Weight is the line's share of the clients. Values below 1 mean 1, which is
	// nginx's default.
	Weight int

	// Down servers get no clients. They keep their share of the hash, so that the
	// clients of other servers stay where they are.
	Down bool

	// Backup servers have no share of the hash, and get clients only when no other
	// server is left. nginx refuses a backup after `ip_hash` or `hash`, but accepts one
	// if the server line comes first.
	Backup bool
}

// A pool is the data of an upstream block that all methods use.
type pool struct {
	shares    []int // by line: its part of total; 0 for a backup
	total     int
	down      []bool // by line
	primaries []int  // lines that are not backups
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

// usesHash reports whether nginx hashes at all. With one primary it uses round robin.
func (p *pool) usesHash() bool { return len(p.primaries) > 1 }

// line returns the server line of a hash value.
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

// moves counts the lists by which a hash value of a server line gets another one: without
// each of the other lines, and with a line more.
func (p *pool) moves(server int) func(hash uint) int {
	if !p.usesHash() {
		return func(uint) int { return 0 }
	}
	longer := pool{shares: append(slices.Clone(p.shares), 1), total: p.total + 1}
	others := []pool{longer}
	for _, line := range p.primaries {
		if line != server {
			shorter := pool{shares: slices.Clone(p.shares), total: p.total - p.shares[line]}
			shorter.shares[line] = 0
			others = append(others, shorter)
		}
	}
	return func(hash uint) (count int) {
		if p.line(hash) != server {
			return 0 // it has the client of a line that is down
		}
		for _, list := range others {
			if list.line(hash) != server {
				count++
			}
		}
		return count
	}
}

// accepts reports whether a server accepts clients.
func (p *pool) accepts(line int, without []int) bool {
	return !p.down[line] && !slices.Contains(without, line)
}

// available returns the last of the lines that accept clients, and their number.
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

// roundRobin is the choice of nginx after hashing found no server. The order depends on
// other requests, so the server is known only if one is left: of the primaries, else of
// the backups.
func (p *pool) roundRobin(without []int) (line int, ok bool) {
	if len(p.shares) == 1 {
		without = nil // nginx never ejects its only server
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
