package balance

import "slices"

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

// hashes tells whether the method comes into play at all: nginx goes by round
// robin where there is nothing to choose between.
func (p *pool) hashes() bool { return len(p.primaries) > 1 }

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

// takes tells whether a server accepts clients.
func (p *pool) takes(line int, without []int) bool {
	return !p.down[line] && !slices.Contains(without, line)
}

// left counts the lines that accept clients, and returns one of them.
func (p *pool) left(lines, without []int) (line, count int) {
	line = nobody
	for _, l := range lines {
		if p.takes(l, without) {
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
		switch line, count := p.left(lines, without); count {
		case 0:
			continue
		case 1:
			return line, true
		default:
			return nobody, false
		}
	}
	return nobody, false
}
