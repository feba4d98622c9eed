package memcached

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/probes/internal/readlimit/readlimittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSurvives(t *testing.T) { readlimittest.TestHostile(t, "memcached", Ping) }

// TestAnnouncements has a server that announces more than it sends, or sends
// without end.
func TestAnnouncements(t *testing.T) {
	for name, reply := range map[string]string{
		"value":      "VALUE login 0 2147483647\r\n",
		"lines":      strings.Repeat("STAT a b\r\n", 6000),
		"long line":  "VERSION " + strings.Repeat("1", 60000),
		"no login":   strings.Repeat("CLIENT_ERROR unauthenticated\r\n", 2000),
		"long login": "CLIENT_ERROR unauthenticated\r\n" + strings.Repeat("x", 60000),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			u := readlimittest.URL("memcached", readlimittest.Serve(t, func(conn net.Conn) {
				conn.Write([]byte(reply))
				readlimittest.Hang(conn)
			}))
			u.RawQuery = "allowCleartextPasswords=true"
			readlimittest.CheckError(t, readlimittest.CheckMemory(t, func() error { return Ping(ctx, u) }))
		})
	}
}
