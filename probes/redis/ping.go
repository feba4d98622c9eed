// Package redis checks the health of a Redis server.
package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"stickwatch/probes/internal/readlimit"
)

// Ping connects to redis://user:password@host:port/db (rediss:// is TLS), authenticates
// if u has a password, and sends PING. It is a probes.Pinger. A server that answers and whose memory is
// full, so that it refuses writes, is an error as well.
//
// If u has no password and the server requires one, the server is up: it serves clients
// that have the password. A refused password is an error, because a node with the same
// password is refused, too.
func Ping(ctx context.Context, u *url.URL) error {
	silence()
	return readlimit.Run(ctx, u, func(ctx context.Context, dial readlimit.Dial) error {
		options, err := redis.ParseURL(u.String())
		if err != nil {
			return err
		}
		var g *guard
		limit(options, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if options.TLSConfig != nil {
				conn = tls.Client(conn, options.TLSConfig)
			}
			g = &guard{Conn: conn}
			return g, nil
		})
		client := redis.NewClient(options)
		defer client.Close()
		if err := client.Ping(ctx).Err(); err != nil {
			return explain(err, g, options.Password != "")
		}
		return memoryFull(ctx, client)
	})
}

const (
	// infoTimeout bounds how long INFO may take: some proxies and users have no such command.
	infoTimeout = 500 * time.Millisecond
	// nearlyFull is the part of maxmemory that is left free while a full server refuses most writes. What its clients
	// need changes with each command.
	nearlyFull = 1000
)

// memoryFull returns an error if the memory of a server that evicts nothing is full. It says so only to clients that
// write. A server that does not report its memory has none.
func memoryFull(ctx context.Context, client *redis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	memory := make(map[string]string)
	for line := range strings.Lines(client.Info(ctx, "memory").Val()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		memory[name] = value
	}
	used, _ := strconv.ParseInt(memory["used_memory"], 10, 64)
	limit, _ := strconv.ParseInt(memory["maxmemory"], 10, 64)
	if memory["maxmemory_policy"] != "noeviction" || limit <= 0 || used < limit-limit/nearlyFull {
		return nil
	}
	return readlimit.AnswerError{
		Message: fmt.Sprintf("used_memory:%d maxmemory:%d maxmemory_policy:noeviction", used, limit),
		Remedy:  "raise maxmemory, or let keys expire: its memory is full and it refuses writes",
	}
}

// silence turns off go-redis's logger, which writes to standard error. The logger is
// global, and only this package uses go-redis.
var silence = sync.OnceFunc(logging.Disable)

// limit restricts o to one attempt on one connection that sends only a login, a ping and
// a question.
func limit(o *redis.Options, dial readlimit.Dial) {
	o.Dialer = dial
	o.DialerRetries = 1
	o.MaxRetries = -1
	o.MinIdleConns = 0
	o.PipelinePoolSize = -1
	// Zero is the default of ten a core. A pool of one would reconnect in the
	// background.
	o.PoolSize = 0
	o.Protocol = 2 // no push messages
	o.ClientName = ""
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// explain returns nil if the error shows a server that serves other clients.
func explain(err error, g *guard, password bool) error {
	if err == nil {
		return nil
	}
	text := ""
	if answer, ok := errors.AsType[redis.Error](err); ok {
		text = answer.Error()
	} else if g != nil {
		text = g.lastError()
	}
	if text == "" {
		return err
	}
	word, _, _ := strings.Cut(text, " ")
	if word == "NOAUTH" && !password || word == "NOPERM" {
		return nil
	}
	return readlimit.AnswerError{Message: text, Remedy: remedy(text, word)}
}

// remedies are the remedies by the first word of an answer.
var remedies = map[string]string{
	"WRONGPASS":  "correct the credentials in the URL",
	"NOAUTH":     "correct the credentials in the URL",
	"LOADING":    "wait until it has loaded its data from disk",
	"MASTERDOWN": "this replica has lost its master, check the master",
	"MISCONF":    "it cannot save to disk and refuses writes, check its free space and permissions",
	"BUSY":       "a script blocks it, see SCRIPT KILL",
	"DENIED":     "protected mode refuses clients from other hosts, set a password",
}

func remedy(text, word string) string {
	switch lower := strings.ToLower(text); {
	case strings.Contains(lower, "max number of clients"):
		return "it has no free connection, see maxclients"
	case strings.Contains(lower, "db index"):
		return "correct the database number in the URL"
	case strings.Contains(lower, "password"):
		return "correct the credentials in the URL"
	default:
		return remedies[strings.TrimPrefix(word, "-")]
	}
}

const (
	// maxAnnounced bounds the bytes and elements that all replies together may
	// announce. The longest reply, that of HELLO, has about a hundred bytes and a name
	// for each module.
	maxAnnounced = 16 << 10
	// maxDepth bounds how deep replies are nested. HELLO has a map of a list of maps
	// with a list of arguments.
	maxDepth = 8
)

// A guard checks replies before go-redis reads them. go-redis allocates the size that a
// reply announces before the data arrives: "$1099511627776" ends the process, and so do
// a few thousand nested "%16384".
type guard struct {
	net.Conn
	line        []byte // the incomplete header line
	skip        int    // bytes left of the current string
	announced   int    // bytes and elements so far
	open        []int  // elements left of each open aggregate
	serverError string // the last error among the replies
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

// header checks a line that starts a reply, or an element of one.
func (g *guard) header(line string) error {
	if line == "" {
		return nil
	}
	kind, n := line[0], 0
	switch kind {
	case '-':
		g.serverError = line[1:]
	case '$', '!', '=', '*', '%', '~', '>', '|':
		var err error
		if n, err = strconv.Atoi(line[1:]); err != nil || n > maxAnnounced-g.announced {
			return fmt.Errorf("got a reply of length %q, which is no answer to a ping", line[1:])
		}
		n = max(0, n) // a negative number is null
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
		return g.enter(2*n + 1) // the reply after the attributes counts as one of them
	}
	g.leave()
	return nil
}

// enter starts an aggregate of n elements.
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

// leave ends an element, and the aggregates whose last element it is.
func (g *guard) leave() {
	for len(g.open) > 0 {
		last := len(g.open) - 1
		if g.open[last]--; g.open[last] > 0 {
			return
		}
		g.open = g.open[:last]
	}
}

// lastError returns the error that the server sent before it closed the connection,
// such as too many clients; "" if there was none. Servers before version 6 refuse HELLO
// and continue, so that error is ignored.
func (g *guard) lastError() string {
	if strings.Contains(strings.ToUpper(g.serverError), "HELLO") {
		return ""
	}
	return g.serverError
}
