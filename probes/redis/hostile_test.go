package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/probes/internal/readlimit/readlimittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSurvives(t *testing.T) { readlimittest.TestHostile(t, "redis", Ping) }

// TestAnnouncements has a server that announces more than it sends: the client
// library makes room for every announcement, and goes down by a frame a level.
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
				// Some of them leave the client waiting for the rest of a reply.
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				readlimittest.CheckError(t, readlimittest.CheckMemory(t, func() error {
					return Ping(ctx, readlimittest.URL("redis", readlimittest.Serve(t, serve)))
				}))
			}
		})
	}
}
