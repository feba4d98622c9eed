package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/probes"
)

func TestRecordedNginxLog(t *testing.T) {
	t.Parallel()
	path := recorded(t, "nginx_warn.log", time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC))
	at := time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC)
	obs := NginxErrorLog(t.Context(), path, at.Add(5*time.Second), options)
	down := func(server string, fails, count int) probes.ServerEvidence {
		return probes.ServerEvidence{
			Server: server, Address: server, State: probes.ServerDown, Since: at, Fails: fails,
			Detail:   "upstream server temporarily disabled while connecting to upstream",
			Episodes: []probes.Episode{{First: at, Last: at, Lines: count}},
			// Two workers wrote it, and where there are two failures each had one.
			Failures: failed(at, fails, 1, fails),
		}
	}
	want := []probes.ServerEvidence{
		down("127.0.0.1:2", 1, 1), down("127.0.0.1:20167", 1, 1), down("127.0.0.1:21100", 2, 2),
		down("[::1]:1", 1, 1), down("unix:/tmp/nope.sock", 1, 1),
	}
	if diff := cmp.Diff(want, obs.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	pool := func(name string) probes.ServerEvidence {
		return probes.ServerEvidence{
			Pool: name, State: probes.ServerDown, Since: at,
			Detail: exhausted, Episodes: []probes.Episode{{First: at, Last: at, Lines: 2}},
		}
	}
	if diff := cmp.Diff([]probes.ServerEvidence{pool("cluster"), pool("u6")}, obs.Pools); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
}

// failed are the failures of one second, in a log that begins with it.
func failed(at time.Time, run, ofWorker, workers int) probes.Failures {
	return probes.Failures{
		Since: at, Seconds: []probes.SecondCount{{At: at, Count: run}}, Run: run, RunOfWorker: ofWorker, Workers: workers,
	}
}

// A log at nginx's own default level shows failures and hides ejections. The
// line that a client wrote into it, by the name of a file that was not found,
// has no part in that.
func TestSilentAtDefaultLevel(t *testing.T) {
	t.Parallel()
	path := recorded(t, "nginx_error.log", time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC))
	obs := NginxErrorLog(t.Context(), path, time.Date(2026, 11, 20, 23, 50, 0, 0, time.UTC), options)
	if !strings.Contains(obs.NoAbsence, "needs the level warn") {
		t.Errorf("Silent = %q, want it to name the level", obs.NoAbsence)
	}
	want := []probes.ServerEvidence{{
		Server: "127.0.0.1:21100", Address: "127.0.0.1:21100", State: probes.ServerUnknown, Fails: 1,
		Detail:   "connect() failed (111: Connection refused) while connecting to upstream",
		Failures: failed(time.Date(2026, 11, 20, 23, 44, 57, 0, time.UTC), 1, 1, 1),
	}}
	if diff := cmp.Diff(want, obs.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
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
		{"a trial comes late", []int{0, 24}, 25, probes.ServerDown, []episode{{0, 24, 2}}},
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
			// Another program's line at the end: the file's own time tells nothing.
			l.write(test.now, "PHP message\n")
			obs := read(t, follow(t, l.path), test.now)
			if len(obs.Servers) != 1 {
				t.Fatalf("got servers %+v, want one", obs.Servers)
			}
			var got []episode
			for _, e := range obs.Servers[0].Episodes {
				got = append(got, episode{int(e.First.Sub(start).Seconds()), int(e.Last.Sub(start).Seconds()), e.Lines})
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(episode{})); diff != "" {
				t.Errorf("episodes (-want +got):\n%s", diff)
			}
			if got := obs.Servers[0].State; got != test.state {
				t.Errorf("state %q, want %q", got, test.state)
			}
		})
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat(stamped(58, "error", "limiting requests, excess: 1.5 by zone", node2), maxTail/180)
	tests := []struct {
		name  string
		text  string
		dated int
		now   int
		want  string // what Silent contains; "": it is empty
		state probes.ServerState
	}{
		{"telling", ejection(0, node1), 0, 60, "", probes.ServerUp},
		{"hides the level", stamped(0, "error", "connect() failed (111: Connection refused) while connecting to upstream", node1), 0, 60, "level warn", probes.ServerUnknown},
		{"empty", "", 0, 60, "level warn", ""},
		{"just rotated", ejection(0, node1), 0, 5, "reaches back only 5s", probes.ServerDown},
		{"too busy", ejection(0, node1) + filler + ejection(59, node1), 59, 60, "reaches back only 2s", probes.ServerDown},
		{"another zone", ejection(0, node1), 8 * 60 * 60, 8*60*60 + 5, "8h0m0s off", probes.ServerUnknown},
		{"a zone ahead", ejection(8*60*60, node1), 0, 5, "8h0m0s off", ""},
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
