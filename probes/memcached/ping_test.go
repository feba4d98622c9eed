package memcached

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func start(t *testing.T, more ...string) string {
	return readlimittest.Start(t, "memcached", func(port string) []string {
		return append([]string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "root", "-m", "8"}, more...)
	})
}

func TestPing(t *testing.T) {
	address := start(t)
	for name, url := range map[string]string{
		"plain": "memcached://" + address,
		// The password would be stored as a value.
		"credentials not required": "memcached://watch:w@" + address,
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", "", readlimittest.Ping(t, Ping, url))
		})
	}
}

func TestPingPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	must.Succeed(t, os.WriteFile(file, []byte("watch:p@ss\n"), 0o600))
	address := start(t, "-Y", file)
	for name, tc := range map[string]struct{ url, want string }{
		"none":  {"memcached://" + address, ""},
		"right": {"memcached://watch:p%40ss@" + address + "?allowCleartextPasswords=true", ""},
		"kept":  {"memcached://watch:p%40ss@" + address, "the server requires the password in clear text, which is not sent"},
		"wrong": {"memcached://watch:wr0ng@" + address + "?allowCleartextPasswords=true", "correct the credentials in the URL: it answers"},
	} {
		t.Run(name, func(t *testing.T) {
			got := readlimittest.Ping(t, Ping, tc.url)
			if (got == "") != (tc.want == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostile(t *testing.T) { readlimittest.TestHostile(t, "memcached", Ping) }

// TestAnnouncements has a server that announces more than it sends, or sends without
// end.
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
			u := readlimittest.URL("memcached", tcptest.Serve(t, readlimittest.Reply(reply)))
			u.RawQuery = "allowCleartextPasswords=true"
			readlimittest.CheckError(t, readlimittest.CheckMemory(t, func() error { return Ping(ctx, u) }))
		})
	}
}
