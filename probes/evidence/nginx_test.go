package evidence

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// readOnce returns which servers the error log at path says are ejected at now.
func readOnce(ctx context.Context, path string, now time.Time, o NginxOptions) probes.EvidenceObservation {
	f := Follow(path, o)
	defer f.Close()
	return f.Read(ctx, now)
}

func TestRecordedNginxLog(t *testing.T) {
	t.Parallel()
	path := recorded(t, "nginx_warn.log", time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC))
	at := time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC)
	obs := readOnce(t.Context(), path, at.Add(5*time.Second), options)
	down := func(server string, fails, count int) probes.ServerEvidence {
		return probes.ServerEvidence{
			Server: server, Address: server, State: probes.ServerDown, Since: at, Fails: fails,
			Detail:   "upstream server temporarily disabled while connecting to upstream",
			Episodes: []probes.Episode{{First: at, Last: at, Lines: count}},
			// Two workers wrote it. If there are two failures, each had one.
			Failures: failed(at, fails, 1, fails),
		}
	}
	want := []probes.ServerEvidence{
		down("127.0.0.1:2", 1, 1), down("127.0.0.1:20167", 1, 1), down("127.0.0.1:21100", 2, 2),
		down("[::1]:1", 1, 1), down("unix:/tmp/nope.sock", 1, 1),
	}
	expect.Equal(t, "servers", want, obs.Servers)
	pool := func(name string) probes.ServerEvidence {
		return probes.ServerEvidence{
			Pool: name, State: probes.ServerDown, Since: at,
			Detail: exhausted, Episodes: []probes.Episode{{First: at, Last: at, Lines: 2}},
		}
	}
	expect.Equal(t, "pools", []probes.ServerEvidence{pool("cluster"), pool("u6")}, obs.Pools)
}

// failed returns the failures of one second, in a log that starts with it.
func failed(at time.Time, run, ofWorker, workers int) probes.Failures {
	return probes.Failures{
		Since: at, Seconds: []probes.SecondCount{{At: at, Count: run}}, Run: run, RunOfWorker: ofWorker, Workers: workers,
	}
}

// TestNoAbsenceAtDefaultLevel: a log at nginx's default level has failures and no
// ejections. A line that a client wrote into it, as the name of a missing file, does
// not change that.
func TestNoAbsenceAtDefaultLevel(t *testing.T) {
	t.Parallel()
	path := recorded(t, "nginx_error.log", time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC))
	obs := readOnce(t.Context(), path, time.Date(2026, 11, 20, 23, 50, 0, 0, time.UTC), options)
	if !strings.Contains(obs.NoAbsence, "needs the level warn") {
		t.Errorf("Silent = %q, want it to name the level", obs.NoAbsence)
	}
	want := []probes.ServerEvidence{{
		Server: "127.0.0.1:21100", Address: "127.0.0.1:21100", State: probes.ServerUnknown, Fails: 1,
		Detail:   "connect() failed (111: Connection refused) while connecting to upstream",
		Failures: failed(time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC), 1, 1, 1),
	}}
	expect.Equal(t, "servers", want, obs.Servers)
}

func TestEpisodes(t *testing.T) {
	t.Parallel()
	type episode struct{ first, last, lines int }
	tests := []struct {
		name  string
		at    []int // seconds of the ejection's lines
		now   int
		state probes.ServerState
		want  []episode
	}{
		{"one", []int{0}, 5, probes.ServerDown, []episode{{0, 0, 1}}},
		{"still on in the last second", []int{0}, 11, probes.ServerDown, []episode{{0, 0, 1}}},
		{"over", []int{0}, 12, probes.ServerUp, []episode{{0, 0, 1}}},
		{"a trial fails every 11 s", []int{0, 11, 22, 33}, 40, probes.ServerDown, []episode{{0, 33, 4}}},
		{"a late retry", []int{0, 24}, 25, probes.ServerDown, []episode{{0, 24, 2}}},
		{"two", []int{0, 11, 60}, 61, probes.ServerDown, []episode{{0, 11, 2}, {60, 60, 1}}},
		{"workers out of order", []int{1, 0, 1}, 2, probes.ServerDown, []episode{{1, 1, 3}}},
		{"one from the future", []int{0, 5000}, 30, probes.ServerUp, []episode{{0, 0, 1}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			for _, at := range test.at {
				l.eject(at, node1)
			}
			// Another program's line at the end makes the file's own time useless.
			l.write(test.now, "PHP message\n")
			obs := read(t, follow(t, l.path), test.now)
			if len(obs.Servers) != 1 {
				t.Fatalf("got servers %+v, want one", obs.Servers)
			}
			var got []episode
			for _, e := range obs.Servers[0].Episodes {
				got = append(got, episode{int(e.First.Sub(start).Seconds()), int(e.Last.Sub(start).Seconds()), e.Lines})
			}
			expect.Equal(t, "episodes", test.want, got, cmp.AllowUnexported(episode{}))
			if got := obs.Servers[0].State; got != test.state {
				t.Errorf("state %q, want %q", got, test.state)
			}
		})
	}
}

func TestNoAbsence(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat(stamped(58, "error", "limiting requests, excess: 1.5 by zone", node2), maxTail/180)
	tests := []struct {
		name  string
		text  string
		dated int
		now   int
		want  string // a part of NoAbsence; "": it is empty
		state probes.ServerState
	}{
		{"telling", ejection(0, node1), 0, 60, "", probes.ServerUp},
		{"level unknown", stamped(0, "error", "connect() failed (111: Connection refused) while connecting to upstream", node1), 0, 60, "level warn", probes.ServerUnknown},
		{"empty", "", 0, 60, "level warn", ""},
		{"just rotated", ejection(0, node1), 0, 5, "cover only the last 5s", probes.ServerDown},
		{"too busy", ejection(0, node1) + filler + ejection(59, node1), 59, 60, "cover only the last 2s", probes.ServerDown},
		{"another zone", ejection(0, node1), 8 * 60 * 60, 8*60*60 + 5, "differ by 8h0m0s", probes.ServerUnknown},
		{"a zone ahead", ejection(8*60*60, node1), 0, 5, "differ by 8h0m0s", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			l.write(test.dated, test.text)
			obs := read(t, follow(t, l.path), test.now)
			if !strings.Contains(obs.NoAbsence, test.want) || test.want == "" && obs.NoAbsence != "" {
				t.Errorf("Silent = %q, want it to hold %q", obs.NoAbsence, test.want)
			}
			var state probes.ServerState
			if len(obs.Servers) > 0 {
				state = obs.Servers[0].State
			}
			if state != test.state {
				t.Errorf("state %q, want %q", state, test.state)
			}
		})
	}
}

// start is the first time in the logs of these tests.
var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	node1 = "10.0.0.1:80"
	node2 = "10.0.0.2:80"
)

// A log is an error log that a test writes. Its file time is that of its lines.
type log struct {
	t    *testing.T
	path string
}

func newLog(t *testing.T) *log {
	t.Helper()
	return &log{t, filepath.Join(t.TempDir(), "error.log")}
}

// write appends text and sets the file time.
func (l *log) write(seconds int, text string) {
	l.t.Helper()
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must.Succeed(l.t, err)
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		l.t.Fatal(err)
	}
	must.Succeed(l.t, os.Chtimes(l.path, time.Time{}, second(seconds)))
}

// eject appends an ejection of a server, seconds after the start.
func (l *log) eject(seconds int, server string) {
	l.t.Helper()
	l.write(seconds, ejection(seconds, server))
}

func (l *log) rename(to string) {
	l.t.Helper()
	must.Succeed(l.t, os.Rename(l.path, to))
}

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func ejection(seconds int, server string) string {
	return stamped(seconds, "warn", "upstream server temporarily disabled while connecting to upstream", server)
}

func stamped(seconds int, level, message, server string) string {
	return fmt.Sprintf("%s [%s] 7#7: *1 %s, client: 192.0.2.1, server: shop, request: \"GET / HTTP/1.1\", upstream: \"http://%s/\", host: \"shop\"\n",
		second(seconds).Format("2006/01/02 15:04:05"), level, message, server)
}

var options = NginxOptions{FailTimeout: 10 * time.Second, Zone: time.UTC}

// lines returns how many lines of each server's ejections were read.
func lines(obs probes.EvidenceObservation) map[string]int {
	counts := map[string]int{}
	for _, s := range obs.Servers {
		for _, e := range s.Episodes {
			counts[s.Server] += e.Lines
		}
	}
	return counts
}

// recorded copies a recorded log, and sets its original file time.
func recorded(t *testing.T, name string, at time.Time) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must.Succeed(t, err)
	path := filepath.Join(t.TempDir(), name)
	must.Succeed(t, os.WriteFile(path, text, 0o600))
	must.Succeed(t, os.Chtimes(path, at, at))
	return path
}

func truncate(l *log) {
	l.t.Helper()
	must.Succeed(l.t, os.Truncate(l.path, 0))
}

func TestParseLine(t *testing.T) {
	t.Parallel()
	const (
		head    = "2026/11/20 23:44:57 [warn] 17#18: *4 "
		eject   = head + "upstream server temporarily disabled while connecting to upstream"
		from    = `, client: 10.0.1.1, server: localhost, request: "GET / HTTP/1.1"`
		message = "upstream server temporarily disabled while connecting to upstream"
	)
	at := time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC)
	nothing := line{at: at, worker: "17", belowError: true}
	ejection := func(server string) line {
		return line{at: at, worker: "17", belowError: true, event: eventEjected, server: server, message: message}
	}
	tests := []struct {
		name, text string
		want       line
	}{
		{"ejection", eject + from + `, upstream: "http://10.0.0.1:80/uri", host: "x"`, ejection("10.0.0.1:80")},
		{"https", eject + from + `, upstream: "https://10.0.0.1:443/uri", host: "x"`, ejection("10.0.0.1:443")},
		{"IPv6", eject + from + `, upstream: "http://[::1]:80/", host: "x"`, ejection("[::1]:80")},
		{"unix socket", eject + from + `, upstream: "http://unix:/run/a.sock:/uri", host: "x"`, ejection("unix:/run/a.sock")},
		{"no path", eject + from + `, upstream: "http://node1"`, ejection("node1")},
		{"query", eject + from + `, upstream: "http://node1:80?a/b"`, ejection("node1:80")},
		{
			"stream module", eject + `, client: 10.0.1.1, server: 0.0.0.0:80, upstream: "10.0.0.1:80", bytes from/to client:0/0`,
			ejection("10.0.0.1:80"),
		},
		{
			"subrequest", eject + from + `, subrequest: "/auth", upstream: "http://10.0.0.1:80/auth", host: "x"`,
			ejection("10.0.0.1:80"),
		},
		{
			"forged referrer", eject + from + `, upstream: "http://10.0.0.1:80/", host: "x", referrer: "", upstream: "http://evil/"`,
			ejection("10.0.0.1:80"),
		},
		{
			"forged path, from before nginx 1.21",
			eject + `, client: 10.0.1.1, server: x, request: "GET /", upstream: "http://evil/ HTTP/1.1", upstream: "http://10.0.0.1:80/", upstream: "http://evil/", host: "x"`,
			ejection("10.0.0.1:80"),
		},
		{"ejection without its server", eject + from, nothing},
		{"empty server", eject + from + `, upstream: "http:///uri"`, nothing},
		{"something else", head + "a client request body is buffered to a temporary file /tmp/0" + from + `, upstream: "http://10.0.0.1:80/"`, nothing},
		{"quoted by another message", head + `open() "/upstream server temporarily disabled while connecting to upstream` + from + `, upstream: "http://10.0.0.1:80/"`, nothing},
		{
			"failure", "2026/11/20 23:44:57 [error] 17#18: *4 upstream timed out (110: Connection timed out) while reading response header from upstream" + from + `, upstream: "http://10.0.0.1:80/"`,
			line{at: at, worker: "17", event: eventFailed, server: "10.0.0.1:80", message: "upstream timed out (110: Connection timed out) while reading response header from upstream"},
		},
		{
			"failure once the header was read", "2026/11/20 23:44:57 [error] 17#18: *4 upstream timed out (110: Connection timed out) while reading upstream" + from + `, upstream: "http://10.0.0.1:80/"`,
			line{at: at, worker: "17"},
		},
		{
			"no server left", "2026/11/20 23:44:57 [error] 17#18: *4 no live upstreams while connecting to upstream" + from + `, upstream: "http://cluster/"`,
			line{at: at, worker: "17", event: eventExhausted, server: "cluster", message: "no live upstreams while connecting to upstream"},
		},
		// nginx -s reload writes this at every level of error_log.
		{"start", "2026/11/20 23:44:57 [notice] 17#17: signal process started", line{at: at, worker: "17"}},
		{"control characters", eject + from + ", upstream: \"http://10.0.0.1:80\x1b[31m/\"", ejection("10.0.0.1:80[31m")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseLine(test.text, time.UTC)
			if !ok {
				t.Fatalf("parseLine(%q) is no line of nginx's", test.text)
			}
			expect.Equal(t, fmt.Sprintf("parseLine(%q)", test.text), test.want, got, cmp.AllowUnexported(line{}))
		})
	}
}

func TestParseLineNotNginx(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"PHP message: something",
		"2026/13/41 23:44:57 [warn] 1#1: *1 month 13",
		" 2026/11/20 23:44:57 [warn] 1#1: *1 indented",
		"2026/11/20 23:44:57 [warn] upstream server temporarily disabled",
	} {
		if l, ok := parseLine(text, time.UTC); ok {
			t.Errorf("parseLine(%q) = %+v, want no line of nginx's", text, l)
		}
	}
}

// TestParseLineZone: the zone is that of the writer, so the same text means another
// time elsewhere.
func TestParseLineZone(t *testing.T) {
	t.Parallel()
	l, ok := parseLine("2026/11/20 23:44:57 [error] 1#1: *1 x", time.FixedZone("Shanghai", 8*60*60))
	if want := time.Date(2026, 11, 20, 15, 44, 57, 0, time.UTC); !ok || !l.at.Equal(want) {
		t.Errorf("got %v, want %v", l.at.UTC(), want)
	}
}
