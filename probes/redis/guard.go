package redis

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
)

const (
	// maxAnnounced bounds the bytes and elements that all replies together may
	// announce. The longest reply asked for, that of HELLO, has about a hundred
	// bytes and a name for each module.
	maxAnnounced = 16 << 10
	// maxDepth bounds how deep replies are nested. HELLO has a map of a list of
	// maps with a list of arguments.
	maxDepth = 8
)

// A guard reads replies ahead of go-redis, which makes room for whatever a reply
// announces before it comes: "$1099511627776" ends the process, and so do a few
// thousand nested "%16384".
type guard struct {
	net.Conn
	line      []byte // the header under way
	skip      int    // what is left of the string under way
	announced int    // bytes and elements so far
	open      []int  // of each aggregate under way, the elements that are left
	said      string // the last error among the replies
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.scan(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

func (g *guard) scan(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip -= n
			p = p[n:]
			continue
		}
		header, rest, whole := bytes.Cut(p, []byte("\n"))
		g.line = append(g.line, header...)
		if !whole {
			return nil
		}
		if err := g.header(strings.TrimSuffix(string(g.line), "\r")); err != nil {
			return err
		}
		g.line, p = g.line[:0], rest
	}
	return nil
}

// header takes in a line that starts a reply, or an element of one.
func (g *guard) header(line string) error {
	if line == "" {
		return nil
	}
	kind, n := line[0], 0
	switch kind {
	case '-':
		g.said = line[1:]
	case '$', '!', '=', '*', '%', '~', '>', '|':
		var err error
		if n, err = strconv.Atoi(line[1:]); err != nil || n > maxAnnounced-g.announced {
			return fmt.Errorf("got a reply of length %q, which is no answer to a ping", line[1:])
		}
		n = max(0, n) // below zero: null
	}
	switch kind {
	case '$', '!', '=':
		g.announced += n
		if line[1] != '-' {
			g.skip = n + len("\r\n")
		}
	case '*', '~', '>':
		return g.enter(n)
	case '%':
		return g.enter(2 * n)
	case '|':
		return g.enter(2*n + 1) // the reply that it belongs to is read within it
	}
	g.leave()
	return nil
}

// enter begins an aggregate of n elements.
func (g *guard) enter(n int) error {
	if g.announced += n; g.announced > maxAnnounced {
		return fmt.Errorf("got replies of %d elements, which are no answer to a ping", g.announced)
	}
	if n == 0 {
		g.leave()
		return nil
	}
	if g.open = append(g.open, n); len(g.open) > maxDepth {
		return fmt.Errorf("got a reply nested %d deep, which is no answer to a ping", len(g.open))
	}
	return nil
}

// leave ends an element, and the aggregates whose last one it is.
func (g *guard) leave() {
	for len(g.open) > 0 {
		last := len(g.open) - 1
		if g.open[last]--; g.open[last] > 0 {
			return
		}
		g.open = g.open[:last]
	}
}

// lastError is what a server said before it hung up, such as that it has too
// many clients; "" when it did not. Refusing HELLO is no farewell: servers
// before version 6 do.
func (g *guard) lastError() string {
	if strings.Contains(strings.ToUpper(g.said), "HELLO") {
		return ""
	}
	return g.said
}
