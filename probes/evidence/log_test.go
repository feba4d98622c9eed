package evidence

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stickwatch/probes"
)

// start is when the logs of these tests begin.
var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	node1 = "10.0.0.1:80"
	node2 = "10.0.0.2:80"
)

// A log is an error log that a test writes, dated by its own lines.
type log struct {
	t    *testing.T
	path string
}

func newLog(t *testing.T) *log {
	t.Helper()
	return &log{t, filepath.Join(t.TempDir(), "error.log")}
}

// write appends text and dates the file.
func (l *log) write(seconds int, text string) {
	l.t.Helper()
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Chtimes(l.path, time.Time{}, second(seconds)); err != nil {
		l.t.Fatal(err)
	}
}

// eject appends an ejection of a server, seconds after the start.
func (l *log) eject(seconds int, server string) {
	l.t.Helper()
	l.write(seconds, ejection(seconds, server))
}

func (l *log) rename(to string) {
	l.t.Helper()
	if err := os.Rename(l.path, to); err != nil {
		l.t.Fatal(err)
	}
}

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func ejection(seconds int, server string) string {
	return stamped(seconds, "warn", "upstream server temporarily disabled while connecting to upstream", server)
}

func stamped(seconds int, level, said, server string) string {
	return fmt.Sprintf("%s [%s] 7#7: *1 %s, client: 192.0.2.1, server: shop, request: \"GET / HTTP/1.1\", upstream: \"http://%s/\", host: \"shop\"\n",
		second(seconds).Format("2006/01/02 15:04:05"), level, said, server)
}

var options = NginxOptions{FailTimeout: 10 * time.Second, Zone: time.UTC}

// lines tells how many lines of each server's ejections were read.
func lines(obs probes.EvidenceObservation) map[string]int {
	counts := map[string]int{}
	for _, s := range obs.Servers {
		for _, e := range s.Episodes {
			counts[s.Server] += e.Lines
		}
	}
	return counts
}

// recorded copies a recorded log, dated as it was.
func recorded(t *testing.T, name string, at time.Time) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	return path
}

func truncate(l *log) {
	l.t.Helper()
	if err := os.Truncate(l.path, 0); err != nil {
		l.t.Fatal(err)
	}
}
