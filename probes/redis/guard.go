package redis

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// maxLength bounds the length that a reply may announce. The longest one asked
// for, that of HELLO, is about a hundred bytes and a name for each module.
const maxLength = 16 << 10

// A guard reads replies ahead of go-redis, which allocates whatever length a
// reply announces: "$1099511627776" would end the process, not the probe.
type guard struct {
	net.Conn
	line []byte // the header under way
	skip int    // what is left of the string under way
	said string // the last error among the replies
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
	switch kind := line[0]; kind {
	case '-':
		g.said = line[1:]
	case '$', '!', '=', '*', '%', '~', '>', '|':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n > maxLength {
			return fmt.Errorf("got a reply of length %q, which is no answer to a ping", line[1:])
		}
		if kind == '$' || kind == '!' || kind == '=' {
			g.skip = max(0, n+len("\r\n"))
		}
		if n < 0 {
			g.skip = 0
		}
	}
	return nil
}

// farewell is what a server said before it hung up, such as that it has too
// many clients; "" when it did not. Refusing HELLO is no farewell: servers
// before version 6 do.
func (g *guard) farewell() string {
	if strings.Contains(strings.ToUpper(g.said), "HELLO") {
		return ""
	}
	return g.said
}
