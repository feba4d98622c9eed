package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/internal/must"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostile(t *testing.T) { readlimittest.TestHostile(t, "redis", Ping) }

// TestAnnouncements has a server that announces more than it sends. The client library
// allocates every announced size, and recurses once for every level.
func TestAnnouncements(t *testing.T) {
	const hello = "%1\r\n+modules\r\n" // go-redis reads any value there
	for name, reply := range map[string]string{
		"maps of maps":            hello + strings.Repeat("%16384\r\n+k\r\n", 4000),
		"maps as keys":            hello + strings.Repeat("%16384\r\n", 6000),
		"arrays of arrays":        hello + strings.Repeat("*16384\r\n", 6000),
		"sets of sets":            hello + strings.Repeat("~16384\r\n", 6000),
		"pushes of pushes":        hello + strings.Repeat(">16384\r\n", 6000),
		"attributes":              hello + strings.Repeat("|16384\r\n", 6000),
		"attributes of nothing":   strings.Repeat("|0\r\n", 16000),
		"arrays of one":           hello + strings.Repeat("*1\r\n", 16000),
		"arrays side by side":     hello + "*1000\r\n" + strings.Repeat("*16384\r\n"+strings.Repeat("+\r\n", 16), 1000),
		"strings":                 hello + "*4000\r\n" + strings.Repeat("$16000\r\n", 4000),
		"pushes before an answer": strings.Repeat(">2\r\n+invalidate\r\n*1000\r\n"+strings.Repeat(":1\r\n", 1000), 20),
	} {
		t.Run(name, func(t *testing.T) {
			for _, login := range []bool{true, false} {
				serve := readlimittest.Reply(reply) // the answer to HELLO
				if login {
					serve = answer(reply) // to PING
				}
				// Some servers make the client wait for the rest of a reply.
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				readlimittest.CheckError(t, readlimittest.CheckMemory(t, func() error {
					return Ping(ctx, readlimittest.URL("redis", tcptest.Serve(t, serve)))
				}))
			}
		})
	}
}

func TestGuard(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		ok     bool
	}{
		"replies":             {"*2\r\n$5\r\nhello\r\n:7\r\n+PONG\r\n$-1\r\n*-1\r\n%1\r\n+a\r\n_\r\n", true},
		"length in a string":  {"$13\r\n\n$1099511627776"[:17] + "\r\n+PONG\r\n", true},
		"length after string": {"$1\r\naXX*1099511627776\r\n", false},
		"no number":           {"$many\r\n", false},
		"negative":            {"$-9\r\n*1099511627776\r\n", false},
		"deep":                {strings.Repeat("*1\r\n", maxDepth) + "+a\r\n" + strings.Repeat("%1\r\n+k\r\n", maxDepth) + "+v\r\n", true},
		"too deep":            {strings.Repeat("*1\r\n", maxDepth+1), false},
		"attributes":          {strings.Repeat("|0\r\n", maxDepth) + "+a\r\n|1\r\n+k\r\n+v\r\n+a\r\n", true},
		"too many attributes": {strings.Repeat("|0\r\n", maxDepth+1), false},
		"too much":            {strings.Repeat("$4000\r\n"+strings.Repeat("x", 4000)+"\r\n", 5), false},
		"too many":            {strings.Repeat("%3000\r\n"+strings.Repeat("+\r\n", 6000), 3), false},
	} {
		for _, chunk := range []int{1, 3, len(tc.stream)} {
			var g guard
			var err error
			for rest := tc.stream; rest != "" && err == nil; rest = rest[min(chunk, len(rest)):] {
				err = g.scan([]byte(rest[:min(chunk, len(rest))]))
			}
			if (err == nil) != tc.ok {
				t.Errorf("%s, read by %d: got %v", name, chunk, err)
			}
		}
	}
}

func TestGuardLastError(t *testing.T) {
	for answer, want := range map[string]string{
		"-ERR max number of clients reached\r\n": "ERR max number of clients reached",
		"-ERR unknown command 'HELLO'\r\n":       "",
		"+OK\r\n":                                "",
	} {
		var g guard
		must.Succeed(t, g.scan([]byte(answer)))
		if got := g.lastError(); got != want {
			t.Errorf("after %q: got %q, want %q", strings.TrimSpace(answer), got, want)
		}
	}
}

// FuzzReplies: whatever a server sends, in whatever pieces, the guard bounds the
// announced sizes and the depth.
func FuzzReplies(f *testing.F) {
	for _, reply := range []string{
		"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n", "+PONG\r\n", "-ERR unknown command 'HELLO'\r\n", "%1\r\n+k\r\n%16384\r\n",
		"*-1\r\n$-1\r\n", "|1\r\n+k\r\n+v\r\n>2\r\n+a\r\n:1\r\n", "$5\r\n*9\r\n1\r\n=8\r\ntxt:abcd\r\n(99999999999999999999\r\n",
	} {
		f.Add(reply, 3)
	}
	f.Fuzz(func(t *testing.T, reply string, piece int) {
		var whole, pieces guard
		err := whole.scan([]byte(reply))
		var bad error
		for rest := []byte(reply); len(rest) > 0 && bad == nil; {
			n := min(max(1, piece), len(rest))
			bad = pieces.scan(rest[:n])
			rest = rest[n:]
		}
		if (err == nil) != (bad == nil) {
			t.Errorf("got %v at once and %v in pieces", err, bad)
		}
		if err == nil && (whole.announced > maxAnnounced || len(whole.open) > maxDepth) {
			t.Errorf("got %d announced and %d deep", whole.announced, len(whole.open))
		}
	})
}
