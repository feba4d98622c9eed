package daemon

import (
	"fmt"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
)

// A canaryScript plays requests of one owner's canaries, five seconds apart, into a recorder
// and a history.
type canaryScript struct {
	recorder placementRecorder
	stored   history.Batch
	start    time.Time
	at       time.Time
	writes   int
	fresh    bool // requests are those of new clients
}

func newCanaryScript() *canaryScript {
	start := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	return &canaryScript{start: start, at: start}
}

func (s *canaryScript) request(node string, outcome checks.Outcome, times int) {
	for range times {
		s.at = s.at.Add(5 * time.Second)
		rows := s.recorder.observe(checks.Request{
			Cluster: "shop", Balancer: "lb", Node: "node1", Served: node, Canary: !s.fresh, At: s.at, Outcome: outcome,
		})
		s.writes += len(rows)
		s.stored.Placements = append(s.stored.Placements, rows...)
	}
}

// read returns what the history tells afterwards, oldest first.
func (s *canaryScript) read(t *testing.T) []string {
	t.Helper()
	path := t.TempDir() + "/history.db"
	db, err := history.Open(t.Context(), history.Config{Path: path, Flush: time.Hour})
	must.Succeed(t, err)
	s.stored.Placements = append(s.stored.Placements, s.recorder.unsaved()...)
	db.Record(s.stored)
	must.Succeed(t, db.Close(t.Context()))
	read, err := history.OpenReader(t.Context(), path)
	must.Succeed(t, err)
	defer read.Close()
	all, err := read.Placements(t.Context(), "shop", checks.Span{From: s.start, To: s.at.Add(time.Second)}, 0)
	must.Succeed(t, err)
	var list []string
	for i := len(all) - 1; i >= 0; i-- {
		p := all[i]
		list = append(list, fmt.Sprintf("%s to %s: %s %s", p.From.Sub(s.start), p.To.Sub(s.start), p.Node, p.Outcome))
	}
	return list
}

func TestPlacements(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		play func(*canaryScript)
		want []string
	}{
		{"calm", func(s *canaryScript) { s.request("node1", checks.OutcomeServed, 720) }, []string{"5s to 1h0m0s: node1 served"}},
		{"every session is lost at once", func(s *canaryScript) {
			s.request("node1", checks.OutcomeServed, 4)
			s.request("node1", checks.OutcomeLost, 1)
			for s.fresh = true; s.at.Sub(s.start) < time.Hour; { // new clients are served, and lose their session with the next request
				s.request("node1", checks.OutcomeServed, 1)
				s.request("node1", checks.OutcomeLost, 1)
			}
		}, []string{"5s to 20s: node1 served", "25s to 1h0m5s: node1 lost"}},
		{"a drift, also of new clients", func(s *canaryScript) {
			s.request("node1", checks.OutcomeServed, 4)
			for i := range 4 {
				s.fresh = false
				s.request(fmt.Sprint("node", 2+i%2), checks.OutcomeLost, 1)
				s.fresh = true
				for range 8 {
					s.request("node2", checks.OutcomeLost, 1)
					s.request("node3", checks.OutcomeLost, 1)
				}
			}
			s.fresh = false
			s.request("node1", checks.OutcomeServed, 2)
		}, []string{
			"5s to 20s: node1 served", "25s to 1m45s: node2 lost", "1m50s to 3m10s: node3 lost", "3m15s to 4m35s: node2 lost",
			"4m40s to 6m0s: node3 lost", "6m5s to 6m10s: node1 served",
		}},
		{"an outage that costs the session", func(s *canaryScript) {
			s.request("node1", checks.OutcomeServed, 4)
			s.request("", checks.OutcomeError, 2)
			s.request("node2", checks.OutcomeLost, 1)
			s.request("node1", checks.OutcomeUnknown, 1)
			s.request("node1", checks.OutcomeServed, 2)
		}, []string{"5s to 20s: node1 served", "25s to 30s:  error", "35s to 35s: node2 lost", "45s to 50s: node1 served"}},
		{"nobody watched", func(s *canaryScript) {
			s.request("node1", checks.OutcomeServed, 3)
			s.at = s.at.Add(time.Hour)
			s.request("node1", checks.OutcomeServed, 3)
		}, []string{"5s to 15s: node1 served", "1h0m20s to 1h0m30s: node1 served"}},
		{"canaries that return every ten minutes", func(s *canaryScript) {
			s.request("node1", checks.OutcomeServed, 1)
			for range 6 {
				s.at = s.at.Add(10 * time.Minute)
				s.request("node1", checks.OutcomeServed, 1)
			}
		}, []string{"5s to 5s: node1 served", "10m10s to 1h0m35s: node1 served"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newCanaryScript()
			test.play(s)
			expect.Equal(t, "result", test.want, s.read(t))
		})
	}
}

// TestPlacementsOfDriftAreBounded: a session that never stays is shown as such, and a day of
// it takes at most a row every three minutes after the first ones.
func TestPlacementsOfDriftAreBounded(t *testing.T) {
	t.Parallel()
	s := newCanaryScript()
	for s.at.Sub(s.start) < 24*time.Hour {
		s.request("node1", checks.OutcomeLost, 1)
		s.request("node2", checks.OutcomeMoved, 1)
	}
	got := s.read(t)
	if most := maxChanges + int(24*time.Hour/changeEvery) + 1; len(got) > most {
		t.Errorf("a day of drift has %d placements, want at most %d", len(got), most)
	}
	if want := 3 * len(got); s.writes > want {
		t.Errorf("%d rows were written for %d placements, want at most %d", s.writes, len(got), want)
	}
	// The newest one is still open; the one before shows both nodes and the harm.
	if before := got[len(got)-2]; before[len(before)-len("* lost"):] != "* lost" {
		t.Errorf("got %q, want several nodes and lost", before)
	}
}

// TestPlacementsAfterDrift: a session that stays again is shown to stay from then on.
func TestPlacementsAfterDrift(t *testing.T) {
	t.Parallel()
	s := newCanaryScript()
	for range 100 {
		s.request("node1", checks.OutcomeLost, 1)
		s.request("node2", checks.OutcomeMoved, 1)
	}
	ended := s.at
	s.request("node1", checks.OutcomeServed, 100)
	got := s.read(t)
	want := fmt.Sprintf("%s to %s: node1 served", ended.Add(5*time.Second).Sub(s.start), s.at.Sub(s.start))
	if newest := got[len(got)-1]; newest != want {
		t.Errorf("got %q, want %q", newest, want)
	}
}

// TestNoPlacementsOfOthers: new clients, and sessions whose owner is not known, are not stored.
func TestNoPlacementsOfOthers(t *testing.T) {
	t.Parallel()
	var p placementRecorder
	for _, q := range []checks.Request{
		{Node: "node1", Outcome: checks.OutcomeServed},
		{Node: "", Canary: true, Outcome: checks.OutcomeError},
	} {
		if rows := p.observe(q); rows != nil {
			t.Errorf("%+v is stored", q)
		}
	}
	p.observe(checks.Request{Cluster: "shop", Node: "node1", Canary: true, Outcome: checks.OutcomeServed})
	if p.forget("shop"); len(p.open) != 0 {
		t.Error("a cluster that is no longer watched is kept")
	}
}

// TestStoredEndIsRecent: what a page reads of a canary that is served steadily always reaches to the present.
func TestStoredEndIsRecent(t *testing.T) {
	s := newCanaryScript()
	for range 12 * 20 {
		s.request("node1", checks.OutcomeServed, 1)
		if stored := s.stored.Placements[len(s.stored.Placements)-1]; s.at.Sub(stored.To) > checks.PlacementGap {
			t.Fatalf("after %s the stored placement ends at %s: the page would draw a gap", s.at.Sub(s.start), stored.To)
		}
	}
	if s.writes > 20 {
		t.Errorf("got %d writes in 20 minutes of calm", s.writes)
	}
}

// TestPlacementsOutOfOrder: requests of two canaries end in any order, and no placement ends before it begins.
func TestPlacementsOutOfOrder(t *testing.T) {
	t.Parallel()
	var recorder placementRecorder
	start := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for i, sent := range []time.Duration{0, 5, 3, 4, 9, 2, 8, 8, 7} {
		for _, p := range recorder.observe(checks.Request{
			Cluster: "shop", Balancer: "lb", Node: "node1", Served: fmt.Sprint("node", i%3), Canary: true, At: start.Add(sent * time.Second), Outcome: checks.OutcomeMoved,
		}) {
			if p.To.Before(p.From) {
				t.Errorf("request %d: a placement from %s to %s", i, p.From, p.To)
			}
		}
	}
}
