package gate

import (
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

func TestMoves(t *testing.T) {
	const alwaysUp = "111111111111111111111111111111"
	for _, tt := range []struct {
		name    string
		verdict checks.Verdict
		fixture
		want string
	}{
		{"nothing", checks.Healthy, fixture{sessions: "+1111 +2222"}, ""},
		{"a restart that replication covers", checks.Healthy, fixture{sessions: "+1112222 +22222", direct: "11xxx111"}, "node1>node2 kept restart allowed"},
		{"a restart that loses sessions", checks.Failing, fixture{sessions: "+111!2+222 +22222", direct: "11xxx111"}, "node1>node2 lost restart"},
		{"the same where only stickiness is guaranteed", checks.Degraded, fixture{policy: probes.PolicySticky, sessions: "+111!2+222 +22222", direct: "11xxx111"}, "node1>node2 lost restart allowed"},
		{"a restart that brings back an older session", checks.Failing, fixture{policy: probes.PolicySticky, sessions: "+111~2+222 +22222", direct: "11xxx111"}, "node1>node2 rolled back restart"},
		{"lost at its own node, by a restart between two rounds", checks.Failing, fixture{sessions: "+111!1+111 +2222", direct: alwaysUp, before: "7 8", after: "9 8"}, "node1>node1 lost restart"},
		{"a node that stays down", checks.Healthy, fixture{sessions: "+1112222 +22222", direct: "11xxx"}, "node1>node2 kept down allowed"},
		{"drift", checks.Failing, fixture{sessions: "+1112122 +22222", direct: alwaysUp, newClients: "121212121212"}, "node1>node2 kept unexplained; node2>node1 kept unexplained; node1>node2 kept unexplained"},
		{
			"a client that moves once and stays, as when the list of servers changes", checks.Degraded,
			fixture{sessions: "+1112222 +22222", direct: alwaysUp, newClients: "121212121212"},
			"node1>node2 kept unexplained",
		},
		{
			"the same twice, which loses a session", checks.Failing,
			fixture{sessions: "+111222222222222!1+111 +22222", direct: alwaysUp, newClients: "121212121212"},
			"node1>node2 kept unexplained; node2>node1 lost unexplained",
		},
		{
			"a drain too short for new clients to show it, until the last round does", checks.Healthy,
			fixture{sessions: "+1112222 +22222", direct: alwaysUp, newClients: "1212222", outAtEnd: "node1"},
			"node1>node2 kept ejection allowed",
		},
		{
			"an ejection that new clients meet before the session does", checks.Healthy,
			fixture{sessions: "+11112222 +22222222", direct: alwaysUp, newClients: "node1:11222222"},
			"node1>node2 kept ejection allowed",
		},
		{
			"a node that still answers others is not out", checks.Degraded,
			fixture{sessions: "+1112222 +22222 +1111111", direct: alwaysUp, newClients: "1212222", outAtEnd: "node1"},
			"node1>node2 kept unexplained",
		},
		{
			"a node that is emptied before it is stopped, and says nothing of it", checks.Healthy,
			fixture{sessions: "+1112222222 +22222", direct: "111111xxx11", newClients: "12122222221"},
			"node1>node2 kept drain allowed",
		},
		{"a node that gets clients until it is stopped", checks.Degraded, fixture{sessions: "+1112222222 +22222", direct: "111111xxx11", newClients: "12121222221"}, "node1>node2 kept unexplained"},
		{"a drain that the balancer reports", checks.Healthy, fixture{sessions: "+1112222 +22222", direct: alwaysUp, evidence: "udddd"}, "node1>node2 kept drain allowed"},
		{"a drain, and then the node is stopped", checks.Healthy, fixture{sessions: "+1112222 +22222", direct: "1111xxx1", evidence: "udddd"}, "node1>node2 kept drain allowed"},
		{"an ejection that the balancer reports", checks.Healthy, fixture{sessions: "+1112222 +22222", direct: alwaysUp, evidence: "uxxxu"}, "node1>node2 kept ejection allowed"},
		{
			"an ejection that a client shows who should be there, and the way back", checks.Healthy,
			fixture{sessions: "+11122211 +2222222", direct: alwaysUp, newClients: "node1:111222111 node2:222222222"},
			"node1>node2 kept ejection allowed; node2>node1 kept return allowed",
		},
		{
			"a worker that leaves a node out for fail_timeout after its restart, and one that does not", checks.Degraded,
			fixture{sessions: "+111!2+22!1+1!2+211111 +2222222", direct: "111xx11111111111111", policy: probes.PolicySticky, failTimeout: time.Second},
			"node1>node2 lost restart allowed; node2>node1 lost return allowed; node1>node2 lost restart allowed; node2>node1 kept return allowed",
		},
		{
			"the same after fail_timeout", checks.Degraded,
			fixture{sessions: "+1..................................1112222 +2222222", direct: "1xx11111111111", failTimeout: time.Second},
			"node1>node2 kept unexplained",
		},
		{
			"any successor while the owner node is out", checks.Healthy,
			fixture{sessions: "+1112233311 +2222222", direct: "111xxx111111", failTimeout: time.Second},
			`node1>node2 kept restart allowed; node2>"node3" kept restart allowed; "node3">node1 kept return allowed`,
		},
		{
			"moves from node to node while the owner stays down", checks.Healthy,
			fixture{sessions: "+1112233322 +2222222", direct: "111xxx", failTimeout: time.Second},
			`node1>node2 kept down allowed; node2>"node3" kept down allowed; "node3">node2 kept down allowed`,
		},
		{"any node may answer, also after a restart", checks.Healthy, fixture{policy: probes.PolicyShared, sessions: "+22222121212 +22222222222", direct: "1x11111111", failTimeout: time.Second}, ""},
		{"any node may answer", checks.Healthy, fixture{policy: probes.PolicyShared, sessions: "+12121212", newClients: "12121212"}, ""},
		{"any node may answer, and one has another store", checks.Failing, fixture{policy: probes.PolicyShared, sessions: "+1212!1+121", newClients: "12121212"}, "node2>node1 lost shared"},
		{"an unlisted node", checks.Healthy, fixture{sessions: "+1113333 +2222", direct: "111xxxxx"}, `node1>"node3" kept down allowed`},
		{"whether it was kept is unknown", checks.Healthy, fixture{sessions: "+1110000 +2222"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.judged(t)
			var got []string
			for _, m := range r.Moves {
				got = append(got, m.inShort())
			}
			if got := strings.Join(got, "; "); got != tt.want {
				t.Errorf("got moves\n%s\nwant\n%s", got, tt.want)
			}
			if r.Verdict() != tt.verdict {
				t.Errorf("got %s, want %s: %+v, doubts %q", r.Verdict(), tt.verdict, r.Guarantees, r.Doubts)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name        string
		signs       string
		least, most time.Duration
		ongoing     bool
		failed      int
	}{
		{"none", "+1111", 0, 0, false, 0},
		{"one request", "+11x11", 5 * ms, 200 * ms, false, 1},
		{"a pause before it", "+11..x11", 5 * ms, 400 * ms, false, 1},
		{"the longest of two", "+1x1xxx1", 205 * ms, 400 * ms, false, 3},
		{"it goes on", "+11xx", 105 * ms, 2895 * ms, true, 2},
		{"it was there from the beginning", "xx+11", 105 * ms, 205 * ms, false, 2},
		{"it ends in another session", "+1xx!2+2", 105 * ms, 300 * ms, false, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := fixture{sessions: tt.signs + " +2222", direct: "xxxx1"}.judged(t)
			o := r.Session
			if o.AtLeast() != tt.least || o.AtMost() != tt.most || o.Ongoing != tt.ongoing || o.Failed != tt.failed {
				t.Errorf("got %s to %s, ongoing %t, %d failed, want %s to %s, %t, %d",
					o.AtLeast(), o.AtMost(), o.Ongoing, o.Failed, tt.least, tt.most, tt.ongoing, tt.failed)
			}
		})
	}
}

func TestMaxOutage(t *testing.T) {
	for limit, want := range map[time.Duration]checks.Verdict{
		0: checks.Failing, 150 * time.Millisecond: checks.Failing, 300 * time.Millisecond: checks.Healthy,
	} {
		s := fixture{sessions: "+11x11 +2222", limits: Limits{MaxOutage: &limit}}
		if got := s.judged(t).Verdict(); got != want {
			t.Errorf("max outage %s: got %s, want %s", limit, got, want)
		}
	}
	if got := (fixture{sessions: "+11x11 +2222"}).judged(t).Verdict(); got != checks.Degraded {
		t.Errorf("without a limit: got %s, want degraded", got)
	}
}

func TestDoubts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sessions string
		want     []string
	}{
		{"none", "+11 +22", nil},
		{"no session on one", "+11", []string{"no session could be held on node2: none of our clients was sent there"}},
		{"nothing is known", "+00", []string{"answers do not identify their node, so moves cannot be detected"}},
		{"no client was answered", "xx", []string{"no session could be held: the balancer answered none of our clients"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := fixture{sessions: tt.sessions}.judged(t)
			var doubts []string
			for _, d := range r.Doubts {
				doubts = append(doubts, d.String())
			}
			expect.Equal(t, "doubts", tt.want, doubts)
			if unsure := len(tt.want) > 0 && r.Verdict() != checks.Degraded; unsure != (r.Verdict() == checks.Inconclusive) {
				t.Errorf("got %s", r.Verdict())
			}
		})
	}
}

func TestIgnore(t *testing.T) {
	s := fixture{sessions: "+111!2+222 +2222", direct: "1111xxx"}
	s.limits.Ignore = []checks.Code{checks.SessionLost}
	for _, guarantee := range s.judged(t).Guarantees {
		if guarantee.Code == checks.SessionLost {
			t.Errorf("got guarantee %+v, want none of that code", guarantee)
		}
	}
}

// TestTimelineIsBounded checks that a client that moves back and forth for days does
// not exhaust memory.
func TestTimelineIsBounded(t *testing.T) {
	var tr Timeline
	for i := range 2*maxRuns + 1 {
		tr.Add(Sample{At: testTime.Add(time.Duration(i)), Good: true, Label: string(rune('a' + i%2))})
	}
	if all, _ := tr.requests(); len(tr) != maxRuns || all != 2*maxRuns+1 {
		t.Errorf("got %d runs of %d requests, want %d of %d", len(tr), all, maxRuns, 2*maxRuns+1)
	}
}

// TestNoLoss checks that with NoLoss a loss that the policy allows is critical, is not
// ignored, and is unknown without sessions.
func TestNoLoss(t *testing.T) {
	restarted := fixture{policy: probes.PolicySticky, sessions: "+111!2+222 +2222", direct: "1111xxx"}
	for _, tt := range []struct {
		name   string
		policy probes.Policy
		limits Limits
		want   checks.Verdict
	}{
		{"allowed", probes.PolicySticky, Limits{}, checks.Degraded},
		{"not allowed", probes.PolicySticky, Limits{NoLoss: true}, checks.Failing},
		{"nor ignored", probes.PolicySticky, Limits{NoLoss: true, Ignore: []checks.Code{checks.SessionLost}}, checks.Failing},
		{"without sessions", probes.PolicyNone, Limits{NoLoss: true}, checks.Inconclusive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := restarted
			s.policy, s.limits = tt.policy, tt.limits
			if tt.policy == probes.PolicyNone {
				s.sessions = ""
			}
			if r := s.judged(t); r.Verdict() != tt.want {
				t.Errorf("got %s, want %s: %+v", r.Verdict(), tt.want, r.Guarantees)
			}
		})
	}
}

// TestRetriesDoNotCount checks that quick retries only measure the length of an outage.
func TestRetriesDoNotCount(t *testing.T) {
	s := fixture{sessions: "+11xxxx11 +2222"}
	r := s.record()
	var timeline Timeline
	at := 0
	for _, run := range r.Sessions[0].Timeline {
		for range run.Count {
			b := run.First
			b.At, b.New = testTime.Add(time.Duration(at)*sample), at == 0
			b.Retry = at > 2 && at < 6
			timeline.Add(b)
			at++
		}
	}
	r.Sessions[0].Timeline = timeline
	got := Judge(r, Limits{}, testTime.Add(time.Hour))
	if got.Requests != 9 || got.Failed != 1 || got.Session.Failed != 1 {
		t.Errorf("got %d requests, %d failed, %d in the outage, want 9, 1 and 1", got.Requests, got.Failed, got.Session.Failed)
	}
	if least := got.Session.AtLeast(); least != 3*sample+5*time.Millisecond {
		t.Errorf("got an outage of %s, want 305 ms: retries locate its last failure", least)
	}
}
