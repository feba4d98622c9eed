package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLedgerRestartsAtNewEvent tests that a second event, while the first one is still
// reported, restarts the finding.
func TestLedgerRestartsAtNewEvent(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := NewLedger(Damping{})
	round := func(second, restarted int) {
		f := Finding{Code: NodeRestarted, Severity: Info, Node: "node1", When: start.Add(time.Duration(restarted) * time.Second)}
		l.Update(Report{Started: start.Add(time.Duration(second) * time.Second), Duration: 5 * time.Second, Findings: []Finding{f}})
	}
	for _, step := range []struct{ second, restarted, since int }{{2, 1, 2}, {12, 1, 2}, {60, 55, 60}, {70, 55, 60}, {80, 84, 80}, {90, 84, 80}} {
		round(step.second, step.restarted)
		if got := l.Active()[0].Since.Sub(start).Seconds(); got != float64(step.since) {
			t.Errorf("at %d, restarted at %d: since %v, want %d", step.second, step.restarted, got, step.since)
		}
	}
}

// TestLedgerRestartsAtLateEvent tests the same for events that rounds find only some time
// after they have ended, such as the cost of restarts.
func TestLedgerRestartsAtLateEvent(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	l := NewLedger(Damping{})
	for _, step := range []struct{ second, began, ended, since int }{{30, 3, 5, 30}, {40, 3, 8, 30}, {45, 20, 25, 45}, {60, 20, 25, 45}} {
		f := Finding{Code: NodeRestarted, Severity: Warning, Target: sessionsLost, When: at(step.ended), Began: at(step.began)}
		l.Update(Report{Started: at(step.second), Findings: []Finding{f}})
		if got := l.Active()[0].Since; !got.Equal(at(step.since)) {
			t.Errorf("at %d, from %d to %d: since %v, want %d", step.second, step.began, step.ended, got.Sub(start), step.since)
		}
	}
}

// TestLedger plays rounds, one a second. A round is written as its findings: d for a
// node that is down, D for the same as critical, l for a lost session, s for one that a slow node explains, h for a
// handshake that breaks, x for a node that is paused because a dependency is down, y1
// for the same because of a dependency named 1, ? for a doubt, and n for a round in which no client was answered.
func TestLedger(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		rounds string
		want   []string // kind, code and the second at which it became true
	}{
		{"one lost packet is nothing", "- d - d - -", nil},
		{"twice is something, and since the first", "- d d d", []string{"appeared node_down 1"}},
		{"a session that is gone is seen once", "- l", []string{"appeared session_lost 1"}},
		{"over, since the first round that misses it", "d d - - -", []string{"appeared node_down 0", "gone node_down 2"}},
		{"one round without is no end", "d d - d -", []string{"appeared node_down 0"}},
		{"worse", "d d D D", []string{"appeared node_down 0", "altered node_down 3"}},
		{"worse by one lost packet is not", "d d D d D d", []string{"appeared node_down 0"}},
		{"worse, missed and worse again is not", "d d D - D d", []string{"appeared node_down 0"}},
		{"worse and less in turns stays as bad as it has been", "D D d D d D d D", []string{"appeared node_down 0"}},
		{"less, missed and less again is not", "D D d - d", []string{"appeared node_down 0"}},
		{"less severe", "D D d d d", []string{"appeared node_down 0", "altered node_down 3"}},
		{"less before it is believed", "D d d", []string{"appeared node_down 0"}},
		{"worse before it is believed", "d D D", []string{"appeared node_down 0", "altered node_down 2"}},
		{"doubt ends no finding about sessions", "l ? ? ? - -", []string{"appeared session_lost 0", "gone session_lost 4"}},
		{"doubt forgets what was not believed yet", "h ? ? h -", nil},
		{"after doubt, an end is looked for anew", "l - ? - -", []string{"appeared session_lost 0", "gone session_lost 3"}},
		{"nobody is answered, so nobody could meet it again", "l n n n - -", []string{"appeared session_lost 0", "gone session_lost 4"}},
		{"nobody is answered, and others end", "d d n n", []string{"appeared node_down 0", "gone node_down 2"}},
		{"doubt ends others", "d d ? ?", []string{"appeared node_down 0", "gone node_down 2"}},
		{"an effect waits for its cause", "x x x - -", []string{
			"appeared node_paused 0", "appeared dependency_down 0", "gone node_paused 3", "gone dependency_down 3",
		}},
		{"a cause that is another one in every round delays its effect by a round", "y1 y2 y3 y4 - -", []string{
			"appeared node_paused 0", "gone node_paused 4",
		}},
		{"a cause that appears later is a change of its effect", "y1 y2 x x - -", []string{
			"appeared node_paused 0", "altered node_paused 3", "appeared dependency_down 2", "gone node_paused 4", "gone dependency_down 4",
		}},
		{"a loss whose cause is not seen again stays one, and proves its cause", "s - - -", []string{
			"appeared session_lost 0", "appeared slow 0", "gone session_lost 1", "gone slow 1",
		}},
		{"a node that says it is paused, by a cause that is not seen again", "x - -", nil},
		{"it is found again", "l - - l", []string{"appeared session_lost 0", "gone session_lost 1", "appeared session_lost 3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := NewLedger(Damping{Appear: 2, Vanish: 2})
			var got []string
			for second, round := range strings.Fields(test.rounds) {
				for _, c := range l.Update(played(round, start.Add(time.Duration(second)*time.Second))) {
					got = append(got, fmt.Sprintf("%s %s %.0f", c.Kind, c.Code, c.At.Sub(start).Seconds()))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLedgerRestored tests that a restart reports no active finding again, and still
// reports its end.
func TestLedgerRestored(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	before := NewLedger(Damping{})
	before.Update(played("d", at))
	after := NewLedger(Damping{}, before.Active()...)
	if diff := cmp.Diff(before.Active(), after.Active(), cmp.AllowUnexported(Finding{}, facts{}, observed{})); diff != "" {
		t.Errorf("active (-before +after):\n%s", diff)
	}
	if got := after.Update(played("d", at.Add(time.Second))); len(got) != 0 {
		t.Errorf("got %v for what was known", got)
	}
	got := after.Update(played("-", at.Add(2*time.Second)))
	if !slices.ContainsFunc(got, func(c Change) bool { return c.Kind == Gone && c.Since.Equal(at) }) {
		t.Errorf("got %v, want the end of what began before the restart", got)
	}
}

func played(round string, at time.Time) Report {
	r := Report{Started: at}
	if name, ok := strings.CutPrefix(round, "y"); ok {
		paused := about(NodePaused, Critical, "node1")
		paused.ExplainedBy = Finding{Code: DependencyDown, Dependency: name}.Key()
		r.Findings = []Finding{paused, {Code: DependencyDown, Severity: Critical, Dependency: name}}
	}
	switch round {
	case "d":
		r.Findings = []Finding{about(NodeDown, Warning, "node1")}
	case "D":
		r.Findings = []Finding{about(NodeDown, Critical, "node1")}
	case "x":
		paused := about(NodePaused, Critical, "node1")
		paused.ExplainedBy = Finding{Code: DependencyDown, Dependency: "Redis"}.Key()
		r.Findings = []Finding{paused, {Code: DependencyDown, Severity: Critical, Dependency: "Redis"}}
	case "h":
		r.Findings = []Finding{aboutAll(HandshakeBroken, Critical, nil)}
	case "l":
		r.Findings = []Finding{aboutAll(SessionLost, Critical, []string{"node1"})}
	case "s":
		lost := aboutAll(SessionLost, Critical, []string{"node1"})
		lost.ExplainedBy = about(Slow, Warning, "node1").Key()
		r.Findings = []Finding{lost, about(Slow, Warning, "node1")}
	case "?":
		r.Doubts = []Message{Quote("nothing could be asked")}
	case "n":
		r.unanswered = true
	}
	return r
}

// TestUpdatePartial tests that an incomplete round counts if clients' failed requests
// prove that a finding lasts, with its causes, and counts once.
func TestUpdatePartial(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	seen := func(lasted time.Duration) Report {
		down, failing := about(NodeDown, Warning, "node1"), about(NodeFailingInRotation, Critical, "node1")
		failing.ExplainedBy, failing.observed.harm = down.Key(), Span{From: at, To: at.Add(lasted)}
		return Report{Started: at, Findings: []Finding{down, failing, about(BalancerDown, Critical, "")}}
	}
	codes := func(changes []Change) (list []Code) {
		for _, c := range changes {
			list = append(list, c.Code)
		}
		return list
	}
	l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
	if got := codes(l.UpdatePartial(seen(4 * time.Second))); got != nil || len(l.Active()) > 0 {
		t.Errorf("after 4 s: got %v, want nothing", got)
	}
	if diff := cmp.Diff([]Code{NodeDown, NodeFailingInRotation}, codes(l.UpdatePartial(seen(5*time.Second)))); diff != "" {
		t.Errorf("after 5 s (-want +got):\n%s", diff)
	}
	if got := codes(l.UpdatePartial(seen(6 * time.Second))); got != nil {
		t.Errorf("a second later: got %v, want nothing that is known", got)
	}
	if got := codes(l.Update(seen(7 * time.Second))); got != nil {
		t.Errorf("at the end of the round: got %v, want nothing: the balancer waits for another round", got)
	}
}

// TestPartialSeverity tests that an incomplete round makes an active finding more severe if
// clients' failed requests prove it, and never less severe.
func TestPartialSeverity(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name      string
		was, is   Severity
		lasted    time.Duration
		want      Severity
		wantCount int
	}{
		{"proven", Warning, Critical, 6 * time.Second, Critical, 1},
		{"too short", Warning, Critical, 4 * time.Second, Warning, 0},
		{"less severe", Critical, Warning, 6 * time.Second, Critical, 0},
		{"no other", Warning, Warning, 6 * time.Second, Warning, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			active := Finding{Code: BalancerError, Severity: tc.was, Target: "lb"}
			l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second}, ActiveFinding{Finding: active})
			found := active
			found.Severity, found.observed.harm = tc.is, Span{at, at.Add(tc.lasted)}
			var changes []Change
			for range 3 {
				changes = append(changes, l.UpdatePartial(Report{Started: at, Findings: []Finding{found}})...)
			}
			if got := l.Active()[0].Severity; got != tc.want || len(changes) != tc.wantCount {
				t.Errorf("got %s by changes %v, want %s by %d", got, changes, tc.want, tc.wantCount)
			}
		})
	}
}

// TestCauseHiddenByDoubts tests that a cause which rounds with doubts do not end explains others
// no longer than one that has ended.
func TestCauseHiddenByDoubts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	drift, split := aboutAll(SessionDrift, Critical, []string{"node1"}), aboutAll(BalancerSplit, Warning, []string{"node1"})
	l := NewLedger(Damping{Appear: 2, Vanish: 2})
	l.Update(Report{Started: at, Findings: []Finding{drift}})
	for i, want := range []string{drift.Key(), "", ""} {
		l.Update(Report{Started: at.Add(time.Duration(i+1) * time.Second), Findings: []Finding{split}, Doubts: []Message{Quote("?")}})
		active := l.Active()
		if got := active[len(active)-1]; len(active) != 2 || got.ExplainedBy != want {
			t.Errorf("round %d: got %q explained by %q of %d findings, want %q of both", i+2, got.Key(), got.ExplainedBy, len(active), want)
		}
	}
}

// TestCauseMissedOnce tests that a cause explains what a round finds that misses the cause for
// the first time, and no longer when it has ended.
func TestCauseMissedOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	second := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	lost := Finding{Code: Slow, Severity: Warning, Target: lostPacketsTarget}
	moved := aboutAll(BalancerRemapped, Critical, []string{"node2"})
	for _, tc := range []struct {
		name  string
		found []Finding // by a second round; the first one finds lost
		want  string
	}{
		{"missed", []Finding{moved}, lost.Key()},
		{"it does not fit", []Finding{about(NodeDown, Warning, "node1"), aboutAll(SessionLost, Critical, nil)}, ""},
		{"found, and the judgement knows better", []Finding{lost, moved}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := NewLedger(Damping{Vanish: 2})
			l.Update(Report{Started: at, Findings: []Finding{lost}})
			l.Update(Report{Started: second(3), Findings: tc.found})
			last := l.Active()[len(l.Active())-1]
			if last.ExplainedBy != tc.want {
				t.Errorf("got cause %q of %q, want %q", last.ExplainedBy, last.Key(), tc.want)
			}
			changes := l.Update(Report{Started: second(6), Findings: tc.found[len(tc.found)-1:]})
			l.Update(Report{Started: second(9), Findings: tc.found[len(tc.found)-1:]})
			if last := l.Active()[0]; last.ExplainedBy != "" || last.Since.After(second(3)) {
				t.Errorf("got %q since %v, explained by %q after the end of its cause (%v)", last.Key(), last.Since, last.ExplainedBy, changes)
			}
		})
	}
}

// TestMissedCausesInACircle tests that two findings that may cause each other do not explain
// each other, when rounds find them in turns.
func TestMissedCausesInACircle(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	page, failing := about(PageFailing, Warning, "node1"), aboutAll(SessionFailing, Critical, []string{"node1", "node2"})
	l := NewLedger(Damping{Vanish: 3})
	for i := range 6 {
		l.Update(Report{Started: at.Add(time.Duration(i) * time.Second), Findings: [][]Finding{{page}, {failing}}[i%2]})
		for _, a := range l.Active() {
			for _, b := range l.Active() {
				if a.ExplainedBy == b.Key() && b.ExplainedBy == a.Key() {
					t.Fatalf("round %d: %q and %q explain each other", i, a.Key(), b.Key())
				}
			}
		}
	}
}

// TestProvenSeverity tests that a finding is more severe at once if clients' failed requests
// prove it.
func TestProvenSeverity(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second}, ActiveFinding{Finding: about(NodeDown, Warning, "node1")})
	failing := Finding{Code: BalancerError, Severity: Critical, ExplainedBy: "node_down/node1", observed: observed{harm: Span{at, at.Add(6 * time.Second)}}}
	changes := l.Update(Report{Started: at, Duration: 7 * time.Second, Findings: []Finding{about(NodeDown, Critical, "node1"), failing}})
	if len(changes) != 2 || changes[0].Kind != Altered || changes[0].Severity != Critical {
		t.Errorf("got %+v, want that the node down is critical, and its effect", changes)
	}
}

// TestOverdueEvent tests that an event waits for its cause no longer than errors must
// last, because a round at slow nodes is long.
func TestOverdueEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name  string
		after time.Duration // from the event to the end of the round
		want  int
	}{
		{"the round ends soon", 6 * time.Second, 0},
		{"the round is long", 7 * time.Second, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			slow, moved := about(Slow, Warning, "node1"), aboutAll(BalancerRemapped, Critical, []string{"node2"})
			moved.ExplainedBy, moved.When = slow.Key(), at.Add(time.Second)
			l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 6 * time.Second})
			changes := l.Update(Report{Started: at, Duration: time.Second + tc.after, Findings: []Finding{slow, moved}})
			if len(changes) != tc.want {
				t.Errorf("got %v, want %d changes", changes, tc.want)
			}
		})
	}
}

// TestErrorsLast tests that errors count from the first failed request to the last, and
// not from the start of the round that found them, which may have begun long before.
func TestErrorsLast(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	failing := func(from, to int) []Finding {
		f := Finding{Code: BalancerError, Severity: Critical, Target: "lb"}
		f.observed.harm = Span{at.Add(time.Duration(from) * time.Second), at.Add(time.Duration(to) * time.Second)}
		return []Finding{f}
	}
	l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
	l.Update(Report{Started: at, Findings: failing(4, 6)})
	if got := l.Update(Report{Started: at.Add(7 * time.Second), Findings: failing(7, 8)}); len(got) > 0 {
		t.Errorf("after 4 s of errors: got %v, want nothing", got)
	}
	if got := l.Update(Report{Started: at.Add(9 * time.Second), Findings: failing(9, 10)}); len(got) != 1 {
		t.Errorf("after 6 s of errors: got %v, want them to appear", got)
	}
}

// TestErrorsMove tests that errors which pass from one node to the next are one harm, also
// when a round meets none, and that errors a long time apart are not.
func TestErrorsMove(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	second := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	for _, tc := range []struct {
		name string
		next Span // of the second node's errors; those of the first last from 0 to 3 s
		want int
	}{
		{"soon after", Span{second(10), second(12)}, 1},
		{"a long time after", Span{second(11), second(14)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
			first, next := about(NodeFailingInRotation, Critical, "node1"), about(NodeFailingInRotation, Critical, "node2")
			first.observed.harm, next.observed.harm = Span{at, second(3)}, tc.next
			l.Update(Report{Started: at, Findings: []Finding{first}})
			l.Update(Report{Started: second(5)})
			if got := l.Update(Report{Started: second(10), Findings: []Finding{next}}); len(got) != tc.want {
				t.Errorf("got %v, want %d changes", got, tc.want)
			}
		})
	}
}

// TestNearestActiveCause tests that a finding keeps its active cause while a round names one
// in between that is not confirmed.
func TestNearestActiveCause(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	slow, failing, broken := about(Slow, Warning, "node1"), about(BalancerError, Warning, ""), about(HandshakeBroken, Critical, "")
	broken.ExplainedBy = slow.Key()
	l := NewLedger(Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
	for i := range 8 {
		l.Update(Report{Started: at.Add(time.Duration(i) * time.Second), Findings: []Finding{slow, broken}})
	}
	failing.ExplainedBy, broken.ExplainedBy = slow.Key(), failing.Key()
	changes := l.Update(Report{Started: at.Add(8 * time.Second), Findings: []Finding{slow, failing, broken}})
	if got := l.Active()[1].ExplainedBy; len(changes) > 0 || got != slow.Key() {
		t.Errorf("got the cause %q and changes %v, want %q and none", got, changes, slow.Key())
	}
}

// TestErrorsWithoutMinimum tests that errors need no second round if the damping sets no
// minimum, and that an end names the cause that was reported.
func TestErrorsWithoutMinimum(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	l := NewLedger(Damping{})
	f := Finding{Code: SessionFailing, Severity: Critical, observed: observed{harm: Span{From: start, To: start.Add(time.Second)}}}
	if changes := l.Update(Report{Started: start, Findings: []Finding{f}}); len(changes) != 1 || changes[0].Kind != Appeared {
		t.Errorf("got changes %+v, want that it appeared", changes)
	}
}

// TestEndNamesReportedCause tests that the end of a finding names the same cause as its
// beginning, if the nearest cause was never active.
func TestEndNamesReportedCause(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	root := Finding{Code: DependencyDown, Severity: Critical, Dependency: "Redis"}
	between := Finding{Code: NodeDown, Severity: Warning, Node: "node1", ExplainedBy: root.Key()}
	effect := Finding{Code: BalancerError, Severity: Warning, ExplainedBy: between.Key()}
	l := NewLedger(Damping{}, ActiveFinding{Finding: root, Since: start}, ActiveFinding{Finding: effect, Since: start})
	l.entries = append(l.entries, &entry{ActiveFinding: ActiveFinding{Finding: between}})
	l.entries[1].cause = l.activeCause(l.entries[1])
	for _, c := range l.Update(Report{Started: start.Add(time.Second)}) {
		if c.Code == BalancerError && c.ExplainedBy != root.Key() {
			t.Errorf("got cause %q at its end, want %q", c.ExplainedBy, root.Key())
		}
	}
}

// TestLossAfterPause tests that sessions which only clients that pause lose have not stopped
// being lost before such a client could come back, or has come back and had its own.
func TestLossAfterPause(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for keptFrom, want := range map[int]string{1000: "gone 130", 80: "gone 90"} {
		l := NewLedger(Damping{Vanish: 2})
		var got []string
		for second := 0; second <= 180; second += 10 {
			r := Report{Started: start.Add(time.Duration(second) * time.Second)}
			if second == 30 || second == 70 {
				r.Findings = []Finding{{Code: SessionLost, Severity: Critical, observed: observed{pause: 30 * time.Second}}}
			}
			if second >= keptFrom {
				r.keptAfter = 35 * time.Second
			}
			for _, c := range l.Update(r) {
				got = append(got, fmt.Sprintf("%s %d", c.Kind, second))
			}
		}
		if diff := cmp.Diff([]string{"appeared 30", want}, got); diff != "" {
			t.Errorf("kept from %d: changes (-want +got):\n%s", keptFrom, diff)
		}
	}
}

// TestAddressChecks plays rounds, one a second: s for addresses that disagree, - for none, and m for
// one session that met both nodes. A full round, with +, has new address checks; others judge those of
// the last one again.
func TestAddressChecks(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, rounds string
		want         []string
	}{
		{"one round is nothing, however often it is judged", "+s s s s +-", nil},
		{"twice is something", "+s s +s", []string{"appeared balancer_split 2"}},
		{"over, once two rounds miss it", "+s +s +- - - +-", []string{"appeared balancer_split 1", "gone balancer_split 5"}},
		{"one session that met both nodes neither confirms", "+s +m +m +-", nil},
		{"nor ends it", "+s +m +s +m m +m", []string{"appeared balancer_split 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := NewLedger(Damping{Appear: 2, Vanish: 2})
			var got []string
			var checked time.Time
			for i, round := range strings.Fields(test.rounds) {
				report := Report{Started: start.Add(time.Duration(i) * time.Second)}
				if strings.HasPrefix(round, "+") {
					checked = report.Started
				}
				report.checkedAt, report.undecided = checked, strings.HasSuffix(round, "m")
				if strings.HasSuffix(round, "s") {
					report.Findings = []Finding{{Code: BalancerSplit, Severity: Critical, observed: observed{checkedAt: checked}}}
				}
				for _, c := range l.Update(report) {
					got = append(got, fmt.Sprintf("%s %s %d", c.Kind, c.Code, i))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}
