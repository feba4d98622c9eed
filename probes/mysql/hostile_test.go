package mysql

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

func TestSurvives(t *testing.T) { readlimittest.TestHostile(t, "mysql", Ping) }

// TestAnnouncements has a server that announces more than it sends, or sends
// without end.
func TestAnnouncements(t *testing.T) {
	repeat := func(body string, n int) string {
		var b strings.Builder
		for i := range n {
			b.Write(packet(byte(2+i), body))
		}
		return b.String()
	}
	hugeKey := "\x01" + rsaKeyOf(t, 16384)
	for name, reply := range map[string]string{
		"length":               "\xff\xff\xff\x02",
		"length of 60000":      "\x60\xea\x00\x02\x00",
		"empty":                repeat("", 10000),
		"OK":                   repeat(ok, 5000),
		"switches":             repeat("\xfemysql_native_password\x00saltsaltsaltsaltsalt\x00", 1200),
		"more":                 repeat("\x01\x03", 10000),
		"full login":           repeat("\x01\x04", 10000),
		"huge key":             repeat("\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00", 1) + string(packet(4, "\x01\x04")) + string(packet(6, hugeKey)),
		"reads a file of ours": repeat("\xfb/etc/passwd", 1),
	} {
		t.Run(name, func(t *testing.T) {
			for _, login := range []bool{true, false} {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				address := readlimittest.Serve(t, func(conn net.Conn) {
					conn.Write(packet(0, greeting))
					if login {
						next(conn)
						conn.Write(packet(2, ok))
						next(conn)
					}
					conn.Write([]byte(reply))
					readlimittest.Hang(conn)
				})
				err := readlimittest.CheckMemory(t, func() error { return Ping(ctx, readlimittest.URL("mysql", address)) })
				if err != nil {
					readlimittest.CheckError(t, err)
				} else if name != "OK" { // too much of it harms nobody
					t.Error("got no error")
				}
			}
		})
	}
}
