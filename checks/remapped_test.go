package checks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestRehash tests the cause of losses behind a balancer that hashes over the nodes that
// are left: a node that leaves or returns moves clients of the other nodes, too.
func TestRehash(t *testing.T) {
	t.Parallel()
	const session = 2 // number of the first answer from elsewhere
	for _, tc := range []struct {
		name   string
		method probes.Method
		change func(*round)
		moved  func(*round) *probes.Trace // the client of node1 that node2 answers
		want   []string
	}{
		{
			"a node is down, and a client of an earlier round moved just now", probes.MethodUnknown, func(r *round) { r.down("node3") }, ofEarlierRound,
			[]string{"warning node_down/node3", "critical balancer_remapped [node1] <- node_down/node3"},
		},
		{
			"the same with a client of this round", probes.MethodUnknown, func(r *round) { r.down("node3") }, ofThisRound,
			[]string{"warning node_down/node3", "critical balancer_remapped [node1] <- node_down/node3"},
		},
		{
			"a node restarted and is back", probes.MethodUnknown, func(r *round) { r.Past = restartedAgoAt("node3", 4) }, ofEarlierRound,
			[]string{"info node_restarted/node3", "critical balancer_remapped [node1] <- node_restarted/node3"},
		},
		{
			"and so is the client", probes.MethodUnknown, func(r *round) { r.Past = restartedAgoAt("node3", 4) }, ofEarlierRoundAndBack,
			[]string{"info node_restarted/node3", "critical balancer_remapped [node1] <- node_restarted/node3"},
		},
		{
			"nothing happened to a node, and the client is back", probes.MethodUnknown, func(*round) {}, ofEarlierRoundAndBack,
			[]string{"critical session_lost/node2 after a move"},
		},
		{
			"the balancer keeps clients by a cookie", probes.MethodCookie, func(r *round) { r.down("node3") }, ofEarlierRound,
			[]string{"critical session_lost/node2 after a move", "warning node_down/node3"},
		},
		{
			"nothing happened to a node", probes.MethodUnknown, func(*round) {}, ofThisRound,
			[]string{"critical session_lost/node2 after a move"},
		},
		{
			"a node restarted long ago", probes.MethodUnknown, func(r *round) { r.Past = restartedAgoAt("node3", 100) }, ofEarlierRound,
			[]string{"critical session_lost/node2 after a move", "info node_restarted/node3"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = tc.method, new(checks.Timelines)
			tc.change(r)
			tr := tc.moved(r)
			tr.Steps[session].Label, tr.Steps[session].Session = "node2", otherSession
			if diff := cmp.Diff(tc.want, lines(checks.Judge(r.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// ofThisRound adds a new client of node1.
func ofThisRound(r *round) *probes.Trace { return r.visit("node1", "node1", "node1") }

// ofEarlierRound adds a client of node1 that an earlier round opened.
func ofEarlierRound(r *round) *probes.Trace { return openedEarlier(ofThisRound(r)) }

// ofEarlierRoundAndBack adds a client of an earlier round with one more answer of its own node.
func ofEarlierRoundAndBack(r *round) *probes.Trace {
	return openedEarlier(r.visit("node1", "node1", "node1", "node1"))
}

// openedEarlier makes a client one that an earlier round opened.
func openedEarlier(tr *probes.Trace) *probes.Trace {
	tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), "node1"
	tr.Steps[0].At = began.Add(-3 * time.Second)
	return tr
}

// TestGotBackAfterAPause: clients that came while a node was out are its own, also if their next
// request is later than the consequences of the restart last.
func TestGotBackAfterAPause(t *testing.T) {
	t.Parallel()
	r := healthy()
	r.Cluster.Balancer.Method, r.Past = probes.MethodSource, restartedAgoAt("node2", 14)
	for _, ago := range []time.Duration{14, 13} {
		tr := r.visit("node1", "node2", "node2")
		tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-14500*time.Millisecond), "node1"
		tr.Steps[0].At = began.Add(-ago * time.Second)
		for i := range tr.Steps[1:] {
			tr.Steps[1+i].Session = otherSession
		}
	}
	for _, line := range lines(checks.Judge(r.Round)) {
		if strings.Contains(line, string(checks.BalancerRemapped)) {
			t.Errorf("got %q, want no remapping", line)
		}
	}
}

// TestSwitchRemaps tests that clients were remapped if nodes that are not listed answer them
// in turns: the whole list was replaced, and the balancer's cookie of these clients names a
// server that it does not know.
func TestSwitchRemaps(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]func(*round) *probes.Trace{"clients of earlier rounds": ofEarlierRound, "clients of this round": ofThisRound} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = probes.MethodCookie, new(checks.Timelines)
			for range 2 {
				tr := client(r)
				tr.Steps[1].Label, tr.Steps[1].Session = "node8", otherSession
				tr.Steps[2].Label, tr.Steps[2].Session = "node9", otherSession
			}
			got := lines(checks.Judge(r.Round))
			want := []string{
				"critical balancer_remapped [node1]",
				"warning unknown_node/node8 <- balancer_remapped", "warning unknown_node/node9 <- balancer_remapped",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRemapKeepsItsCause tests that a remap belongs to the failure that it follows, after
// that failure has ended, too, and that the return of the node is another one.
func TestRemapKeepsItsCause(t *testing.T) {
	t.Parallel()
	var past *checks.Timelines
	for _, step := range []struct {
		after int // seconds
		slow  bool
		moves bool // a client moves from node1 to node3
		want  []string
	}{
		{0, false, false, nil},
		{15, true, true, []string{"warning slow/node2", "critical balancer_remapped [node1] <- slow/node2"}},
		{18, false, false, []string{"critical balancer_remapped [node1] <- slow/node2"}},
		{150, false, false, nil},
		{155, true, false, []string{"warning slow/node2"}},
		{160, false, true, []string{"critical balancer_remapped [node1] <- slow/node2"}},
	} {
		r := healthy()
		r.Cluster.Balancer.Method, r.Past = probes.MethodUnknown, past
		if step.moves {
			tr := ofThisRound(r)
			tr.Steps[2].Label, tr.Steps[2].Session = "node3", otherSession
		}
		if step.slow {
			r.node("node2").Primary.Timing.Total = 3 * time.Second
		}
		report := checks.Judge(r.later(time.Duration(step.after) * time.Second))
		if diff := cmp.Diff(step.want, lines(report)); diff != "" {
			t.Errorf("after %d s (-want +got):\n%s", step.after, diff)
		}
		past = report.Timelines
	}
}

// TestReturnRemaps tests which moves of a client to a node that returns belong to its
// return: the clients of other nodes move if its leaving had moved some.
func TestReturnRemaps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		follow []string // nodes whose leaving remapped clients
		want   []string
	}{
		{"its leaving had remapped clients", []string{"node3"}, []string{"info node_restarted/node3", "critical balancer_remapped [node1] <- node_restarted/node3"}},
		{"it gets back the clients that came meanwhile", nil, []string{"info node_restarted/node3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = probes.MethodUnknown, restartedAgoAt("node3", 4)
			m := r.Past.Nodes["node3"]
			m.Disruptions[0].From = began.Add(-5 * time.Minute)
			r.Past.Balancer.Remapped = checks.Remapping{At: began.Add(-4 * time.Minute), Follows: tc.follow}
			tr := ofEarlierRound(r)
			tr.Steps[2].Label, tr.Steps[2].Session = "node3", otherSession
			if diff := cmp.Diff(tc.want, lines(checks.Judge(r.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRemappedAgain tests that a list that changes a minute after another change is a new event, and that
// what several rounds see of one change is not.
func TestRemappedAgain(t *testing.T) {
	t.Parallel()
	for ago, wantNew := range map[time.Duration]bool{20 * time.Second: false, 90 * time.Second: true} {
		r := remapped(true)
		r.Past.Balancer.Remapped = remappedAgo(ago, ago).Balancer.Remapped
		for i := range r.Traces {
			for s := range r.Traces[i].Steps[:1] {
				r.Traces[i].Steps[s].At = began.Add(-3 * time.Second) // their last request before the change
			}
		}
		found := checks.Judge(r.Round).Findings
		i := slices.IndexFunc(found, func(f checks.Finding) bool { return f.Code == checks.BalancerRemapped })
		if i < 0 || found[i].When.After(began.Add(-ago)) != wantNew {
			t.Errorf("%v after another change: got %v, want a new event: %t", ago, found, wantNew)
		}
	}
}

// TestCostOfUnwellNode tests that the sessions lost in a restart are reported unless the node
// was down for so long that its outage reported them: a pause does not.
func TestCostOfUnwellNode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		silent checks.Span // from the first to the last time it was found silent
		want   []string
	}{
		{"paused meanwhile", checks.Span{}, []string{"warning node_restarted/sessions lost [node1]"}},
		{"down meanwhile", checks.Span{From: began.Add(-40 * time.Second), To: began.Add(-time.Second)}, nil},
		{
			"found down once, before a long round",
			checks.Span{From: began.Add(-40 * time.Second), To: began.Add(-40 * time.Second)},
			[]string{"warning node_restarted/sessions lost [node1]"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node1": {
				UnreadySince: began.Add(-40 * time.Second), SilentSince: tc.silent.From, SilentLast: tc.silent.To, LastReady: began.Add(-40 * time.Second),
				Disruptions: []checks.Disruption{{
					Span: checks.Span{From: began.Add(-40 * time.Second), To: began}, Kind: checks.DisruptionRestart,
					Gone: began, Lost: 1, Why: new(checks.Quote("its process id changed")),
				}},
			}}}
			settled := healthy()
			settled.Past = checks.Judge(r.Round).Timelines
			if diff := cmp.Diff(tc.want, lines(checks.Judge(settled.later(20*time.Second)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCrashLoopTellsItsCost tests that a node in a crash loop does not delay the cost of
// another node's restart, and that its own is in the finding of the loop.
func TestCrashLoopTellsItsCost(t *testing.T) {
	t.Parallel()
	ago := func(seconds int) time.Time { return began.Add(-time.Duration(seconds) * time.Second) }
	restart := func(from, to, lost int) []checks.Disruption {
		return []checks.Disruption{{Span: checks.Span{From: ago(from), To: ago(to)}, Kind: checks.DisruptionRestart, Gone: ago(to), Lost: lost, Why: new(checks.Quote("restarted"))}}
	}
	for _, tc := range []struct {
		name    string
		crashes []time.Time // of node2
		want    []string
	}{
		{"a crash loop", []time.Time{ago(63), ago(33), ago(3)}, []string{
			"warning node_restarted/node2 crash loop", "info node_restarted/node2 <- node_restarted/node2 crash loop",
			"warning node_restarted/sessions lost [node1]",
		}},
		{"two restarts", []time.Time{ago(33), ago(3)}, []string{"info node_restarted/node2"}},
		{"three in a long time", []time.Time{ago(400), ago(33), ago(3)}, []string{"info node_restarted/node2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{
				"node1": {Disruptions: restart(41, 40, 2)},
				"node2": {Disruptions: restart(63, 3, 3), Restarts: tc.crashes, Restarted: ago(3), LastSign: new(checks.Quote("restarted"))},
			}}
			report := checks.Judge(r.Round)
			if diff := cmp.Diff(tc.want, lines(report)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if f := report.Findings[0]; f.Target == "crash loop" && f.Summary.String() != "node2 was restarted 3 times within 1m0s; 3 sessions of ours were lost with it" {
				t.Errorf("got %q", f.Summary)
			}
		})
	}
}

// TestCrashLoopThatHarms tests that a crash loop is critical while clients fail in its outages,
// and not for those of one outage, or long after them. Only what fails in its newest outage counts
// as one harm: the node was well before.
func TestCrashLoopThatHarms(t *testing.T) {
	t.Parallel()
	ago := func(seconds int) time.Time { return began.Add(-time.Duration(seconds) * time.Second) }
	restart := func(at int) checks.Disruption {
		return checks.Disruption{Span: checks.Span{From: ago(at + 1), To: ago(at)}, Kind: checks.DisruptionRestart, Gone: ago(at), Why: new(checks.Quote("restarted"))}
	}
	type failure struct{ at, seconds int } // of a request: how long ago, and how long it took
	for name, tc := range map[string]struct {
		before *failure // in the outage before the newest
		newest *failure
		want   checks.Severity
		proven bool // by its failures alone
	}{
		"no client failed":                        {nil, nil, checks.Warning, false},
		"a client failed in the newest":           {nil, &failure{2, 1}, checks.Warning, false},
		"a client waited while the node returned": {nil, &failure{5, 4}, checks.Warning, false},
		"clients failed in two":                   {&failure{34, 1}, &failure{2, 1}, checks.Critical, false},
		"clients waited for long in the newest":   {&failure{34, 1}, &failure{6, 5}, checks.Critical, true},
		"clients failed, and do not":              {&failure{34, 1}, nil, checks.Warning, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			node := checks.NodeTimeline{
				Disruptions: []checks.Disruption{restart(63), restart(33), restart(3)},
				Restarts:    []time.Time{ago(63), ago(33), ago(3)}, Restarted: ago(3), LastSign: new(checks.Quote("restarted")),
			}
			if tc.before != nil {
				d := &node.Disruptions[1]
				d.Failures = checks.Span{From: ago(tc.before.at), To: ago(tc.before.at - tc.before.seconds)}
				d.LastFailed = d.Failures.From
			}
			if tc.newest != nil {
				tr := r.visit("node2", "node2")
				tr.Continued, tr.Opened, tr.OpenerLabel = true, ago(60), "node2"
				tr.Steps[0].At = ago(9)
				tr.Steps[1].At, tr.Steps[1].Status, tr.Steps[1].Kind = ago(tc.newest.at), 502, probes.StepReturn
				tr.Steps[1].Timing.Total = time.Duration(tc.newest.seconds) * time.Second
			}
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": node}}
			report := checks.Judge(r.Round)
			loop := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Target == "crash loop" })
			if loop < 0 || report.Findings[loop].Severity != tc.want {
				t.Fatalf("got %s, want a crash loop that is %s", lines(report), tc.want)
			}
			report.Findings = report.Findings[loop : loop+1]
			l := checks.NewLedger(checks.Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
			if got := len(l.UpdatePartial(report)) > 0; got != tc.proven {
				t.Errorf("proven by its failures: %t, want %t", got, tc.proven)
			}
		})
	}
}

// TestCrashLoopHasEnded tests that the cost of a crash loop, which was reported with it, is not
// reported again when the loop is no longer active.
func TestCrashLoopHasEnded(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return began.Add(-d) }
	last := ago(2*time.Minute + time.Second)
	r := healthy()
	r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": {
		Disruptions: []checks.Disruption{{
			Span: checks.Span{From: ago(4 * time.Minute), To: last}, Kind: checks.DisruptionRestart, Gone: last, Lost: 3, Why: new(checks.Quote("restarted")),
		}},
		Restarts: []time.Time{ago(4 * time.Minute), ago(3 * time.Minute), last}, Restarted: last, LastSign: new(checks.Quote("restarted")),
	}}}
	if got := lines(checks.Judge(r.Round)); len(got) > 0 {
		t.Errorf("got findings %q, want none", got)
	}
}

// TestCostsOfSeparateFailures tests that the cost of restarts is a finding of its own although
// another node fails later and costs nothing.
func TestCostsOfSeparateFailures(t *testing.T) {
	t.Parallel()
	restarted := began.Add(-90 * time.Second)
	r := healthy()
	r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{
		"node1": {Disruptions: []checks.Disruption{{
			Span: checks.Span{From: restarted, To: restarted}, Kind: checks.DisruptionRestart, Gone: restarted, Lost: 1, Why: new(checks.Quote("restarted")),
		}}},
		"node2": {Disruptions: []checks.Disruption{{
			Span: checks.Span{From: began.Add(-4 * time.Second), To: began.Add(-3 * time.Second)}, Kind: checks.DisruptionDown, Gone: began.Add(-3 * time.Second), Why: new(checks.Quote("failed")),
		}}},
	}}
	for _, after := range []time.Duration{0, 20 * time.Second} { // the failure has settled, too
		findings := checks.Judge(r.later(after)).Findings
		if len(findings) != 1 || findings[0].Key() != "node_restarted/sessions lost" || !findings[0].When.Equal(restarted) {
			t.Errorf("after %s: got %v, want the cost of the restart at %s", after, findings, restarted)
		}
	}
}

// later returns the round with all times moved by d.
func (r *round) later(d time.Duration) checks.Round {
	r.Started = r.Started.Add(d)
	for i := range r.Nodes {
		r.Nodes[i].Primary.At = r.Nodes[i].Primary.At.Add(d)
	}
	for _, tr := range r.Traces {
		for i := range tr.Steps {
			tr.Steps[i].At = tr.Steps[i].At.Add(d)
		}
	}
	return r.Round
}

// TestRoutesChanged tests that clients whose cookie leads to other servers, because the routes
// were swapped, are a remap that names the routes and no stick table.
func TestRoutesChanged(t *testing.T) {
	t.Parallel()
	v := newVanished()
	v.lose("node1", 3*time.Second)
	v.lose("node2", 3*time.Second)
	for i, other := range []string{"node2", "node1"} { // each lost its session to the other's node
		v.Traces[len(v.Traces)-2+i].Steps[1].Label = other
	}
	v.OwnerChecks = nil
	for _, f := range checks.Judge(v.Round).Findings {
		if f.Code == checks.BalancerRemapped && f.Remedy.ID == checks.MsgKeepRoutes && f.Summary.Args.Why.ID == checks.MsgRoutesChanged {
			return
		}
	}
	t.Errorf("findings %q, want balancer_remapped by the routes", lines(checks.Judge(v.Round)))
}

// TestUnlistedNodeLeaves tests that a client that a listed node answers, after one that is not listed, shows
// that the balancer has its list again, unless that node still answers others, or may be a listed one that has failed.
func TestUnlistedNodeLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		others   int           // clients that the unlisted node still answers
		downFor  time.Duration // how long node2 has been down; 0: it is well
		remapped bool
	}{
		{0, 0, true},
		{3, 0, false},
		{0, time.Second, true},      // it was well after that node had opened the session
		{0, 5 * time.Second, false}, // it may have restarted under another name
		{0, time.Minute, true},
	} {
		r := healthy()
		r.Past, r.Cluster.Balancer.Method = new(checks.Timelines), probes.MethodCookie
		if tt.downFor > 0 {
			r.down("node2")
			r.node("node2").LastLabel = "node2"
			since := checks.Disruption{Span: checks.Span{From: began.Add(-tt.downFor), To: began}, Kind: checks.DisruptionDown, Gone: began}
			r.Past.Nodes = map[string]checks.NodeTimeline{"node2": {Disruptions: []checks.Disruption{since}}}
		}
		for range tt.others {
			r.visit("green1", "green1")
		}
		r.visit("node3", "node3").Continued = true // it stays
		tr := r.visit("green1", "node1")
		tr.Continued, tr.OpenerLabel, tr.Opened = true, "green1", began.Add(-3*time.Second)
		tr.Steps[0].At = tr.Opened
		tr.Steps[1].Session = otherSession
		got := slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool { return f.Code == checks.BalancerRemapped })
		if got != tt.remapped {
			t.Errorf("%+v: got %q", tt, lines(checks.Judge(r.Round)))
		}
	}
}

// TestLossAtReturnFromUnlistedNode tests that a client whose session a node opened that is not
// listed, and that comes back after the balancer has its list again, has lost it by that, also
// while a node is down, whose name is then not known.
func TestLossAtReturnFromUnlistedNode(t *testing.T) {
	t.Parallel()
	r := healthy()
	r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Remapped: checks.Remapping{At: began.Add(-4 * time.Minute)}}}
	r.down("node2")
	tr := r.visit("green1", "node1")
	tr.Continued, tr.OpenerLabel, tr.Opened = true, "green1", began.Add(-5*time.Minute)
	tr.Steps[0].At = tr.Opened
	tr.Steps[1].Session = otherSession
	if diff := cmp.Diff([]string{"warning node_down/node2"}, lines(checks.Judge(r.Round))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestLossOfNodeWithUnknownName: a session that was opened by a node whose name nobody has learnt was not
// lost with a node, while all nodes are ready.
func TestLossOfNodeWithUnknownName(t *testing.T) {
	t.Parallel()
	r := empty(3)
	for _, label := range []string{"node1", "node2", "app-3"} {
		r.visit(slices.Repeat([]string{label}, 8)...)
	}
	r.node("node3").Label = ""
	r.Past = new(checks.Timelines)
	tr := r.visit("app-3", "node1")
	tr.Continued, tr.OpenerLabel, tr.Opened = true, "app-3", began.Add(-5*time.Minute)
	tr.Steps[0].At = tr.Opened
	tr.Steps[1].Session = otherSession
	if got := lines(checks.Judge(r.Round)); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "critical session_lost") }) {
		t.Errorf("got %q, want session_lost", got)
	}
}

// TestActiveClientsMove tests that active clients that moved are not said to be forgotten because
// they sent their requests a millisecond later than one that stayed.
func TestActiveClientsMove(t *testing.T) {
	t.Parallel()
	for moved, want := range map[int]struct {
		key    string
		remedy checks.MessageID
	}{
		1: {"session_lost/after a move", checks.MsgShareOrHold},
		2: {"balancer_remapped", checks.MsgCarryTable},
	} {
		t.Run(want.key, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = probes.MethodUnknown, new(checks.Timelines)
			follow := func(pause time.Duration, node string) *probes.Trace {
				tr := r.visit("node1", node)
				tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), "node1"
				tr.Steps[0].At, tr.Steps[1].At, tr.Steps[1].Kind = began.Add(-pause), began, probes.StepReturn
				return tr
			}
			follow(3001*time.Millisecond, "node1")
			for range moved {
				follow(3002*time.Millisecond, "node2").Steps[1].Session = otherSession
			}
			f := checks.Judge(r.Round).Findings[0]
			if f.Key() != want.key || f.Remedy.ID != want.remedy || f.Summary.Args.Duration != 0 {
				t.Errorf("got %s: %s %s", line(f), f.Summary, f.Remedy)
			}
		})
	}
}

// TestShortPausesForgotten tests that clients that moved after a pause of one missed round are reported as
// forgotten, where longer pauses have shown that the balancer forgets idle clients. They are a remap
// otherwise, and where active clients moved with them.
func TestShortPausesForgotten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		forgot time.Time
		method probes.Method
		active string // node that answers active clients of node1
		want   string
	}{
		{"known", began.Add(-time.Minute), probes.MethodUnknown, "node1", "session_lost/after a move"},
		{"known by cookie", began.Add(-time.Minute), probes.MethodCookie, "node1", "session_lost/after a move"},
		{"not known", time.Time{}, probes.MethodUnknown, "node1", "balancer_remapped"},
		{"long ago", began.Add(-time.Hour), probes.MethodUnknown, "node1", "balancer_remapped"},
		{"active ones, too", began.Add(-time.Minute), probes.MethodUnknown, "node3", "balancer_remapped"},
		{"a hash forgets nobody", began.Add(-time.Minute), probes.MethodSource, "node1", "balancer_remapped"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := healthy()
			r.Cluster.Balancer.Method, r.Past = tc.method, &checks.Timelines{Balancer: checks.BalancerTimeline{LastForgotAt: tc.forgot}}
			follow := func(pause time.Duration, node string) {
				tr := r.visit("node1", node)
				tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), "node1"
				tr.Steps[0].At, tr.Steps[1].At, tr.Steps[1].Kind = began.Add(-pause), began, probes.StepReturn
				if node != "node1" {
					tr.Steps[1].Session = otherSession
				}
			}
			for range 3 {
				follow(6*time.Second, tc.active)
				follow(12*time.Second, "node1") // its turn was node1 again
			}
			follow(12*time.Second, "node2")
			follow(12*time.Second, "node3")
			follow(12*time.Second, "node3")
			if got := checks.Judge(r.Round).Findings; len(got) == 0 || got[0].Key() != tc.want {
				t.Errorf("got %q, want %s", lines(checks.Judge(r.Round)), tc.want)
			}
		})
	}
}

// TestForgottenClientAsksAgain tests that a client that was forgotten while it paused is reported as such also
// after it has repeated its request.
func TestForgottenClientAsksAgain(t *testing.T) {
	t.Parallel()
	r := healthy()
	r.Cluster.Balancer.Method, r.Past = probes.MethodUnknown, new(checks.Timelines)
	tr := r.visit("node1", "node2", "node2")
	tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), "node1"
	tr.Steps[0].At, tr.Steps[1].At, tr.Steps[2].At = began.Add(-31*time.Second), began, began.Add(100*time.Millisecond)
	tr.Steps[1].Kind, tr.Steps[2].Kind = probes.StepReturn, probes.StepReturn
	tr.Steps[1].Session, tr.Steps[2].Session = otherSession, otherSession
	active := r.visit("node1", "node1")
	active.Continued, active.Opened, active.OpenerLabel = true, began.Add(-time.Minute), "node1"
	active.Steps[0].At, active.Steps[1].At = began.Add(-3*time.Second), began
	f := checks.Judge(r.Round).Findings[0]
	if f.Key() != "session_lost/after a move" || f.Summary.Args.Duration != 31*time.Second {
		t.Errorf("got %s: %s", line(f), f.Summary)
	}
}

// TestIdleClientsCameBack tests that clients that moved after a pause are not reported as forgotten if others
// have stayed after longer pauses.
func TestIdleClientsCameBack(t *testing.T) {
	t.Parallel()
	for came, want := range map[int]string{0: "session_lost/after a move", 1: "session_lost/after a move", 3: "balancer_remapped"} {
		t.Run(fmt.Sprint(came), func(t *testing.T) {
			t.Parallel()
			at := func(at time.Time, past *checks.Timelines) *round {
				r := healthy()
				r.Cluster.Balancer.Method, r.Started, r.Past = probes.MethodUnknown, at, past
				return r
			}
			follow := func(r *round, pause time.Duration, node string) {
				tr := r.visit("node1", node)
				tr.Continued, tr.Opened, tr.OpenerLabel = true, r.Started.Add(-pause), "node1"
				tr.Steps[0].At, tr.Steps[1].At, tr.Steps[1].Kind = tr.Opened, r.Started, probes.StepReturn
				if node != "node1" {
					tr.Steps[1].Session = otherSession
				}
			}
			past := new(checks.Timelines)
			for i := range came {
				r := at(began.Add(time.Duration(i-came)*time.Minute), past)
				follow(r, 40*time.Second, "node1")
				past = checks.Judge(r.Round).Timelines
			}
			r := at(began, past)
			follow(r, 3*time.Second, "node1")
			follow(r, 30*time.Second, "node2")
			follow(r, 30*time.Second, "node2")
			if got := checks.Judge(r.Round).Findings; len(got) == 0 || got[0].Key() != want {
				t.Errorf("got %q, want %s", lines(checks.Judge(r.Round)), want)
			}
		})
	}
}

// TestMovedWithinRound tests that new clients that all move for good at one moment of a round show a remap.
func TestMovedWithinRound(t *testing.T) {
	t.Parallel()
	for returns, want := range map[int]string{0: "session_lost/after a move", 1: "session_lost/after a move", 3: "balancer_remapped"} {
		t.Run(fmt.Sprint(returns), func(t *testing.T) {
			t.Parallel()
			r := empty(3)
			r.Cluster.Balancer.Method, r.Past = probes.MethodUnknown, new(checks.Timelines)
			for i := range 6 {
				before, after := r.Cluster.Nodes[i%3].ID, r.Cluster.Nodes[(i+1)%3].ID
				tr := r.visit(slices.Concat(slices.Repeat([]string{before}, returns+1), slices.Repeat([]string{after}, 4))...)
				for step := range tr.Steps {
					tr.Steps[step].At = began.Add(time.Duration(step) * 100 * time.Millisecond)
					if step > returns {
						tr.Steps[step].Session = otherSession
					}
				}
			}
			if got := checks.Judge(r.Round).Findings; len(got) == 0 || got[0].Key() != want {
				t.Errorf("got %q, want %s", lines(checks.Judge(r.Round)), want)
			}
		})
	}
}

// TestReadmittedWithinRound tests that clients that came while their node was ejected, and get it when it is
// back, show no remap.
func TestReadmittedWithinRound(t *testing.T) {
	t.Parallel()
	r := empty(3)
	r.Cluster.Balancer.Method, r.Cluster.Balancer.ClientIPHeader = probes.MethodIPHash, "X-Stickwatch-Client"
	r.Past = new(checks.Timelines)
	for nth := range 4 {
		tr := r.hashTo(1, nth, 1)
		for i := range tr.Steps[4:] {
			tr.Steps[4+i].Label = "node2"
		}
	}
	if got := lines(checks.Judge(r.Round)); slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "balancer_remapped") }) {
		t.Errorf("got %q", got)
	}
}

// TestTakenOutWhileIdle tests that clients that paused while their node was taken out are not reported as
// forgotten, and that the remedy is for whoever took the node out.
func TestTakenOutWhileIdle(t *testing.T) {
	t.Parallel()
	out := checks.Disruption{Kind: checks.DisruptionEjected, Span: checks.Span{From: began.Add(-29 * time.Second), To: began.Add(-5 * time.Second)}, Finding: "node_ejected/node2"}
	for name, past := range map[string]*checks.Timelines{
		"reported":  {Nodes: map[string]checks.NodeTimeline{"node2": {LastReady: began.Add(-5 * time.Second), Disruptions: []checks.Disruption{out}}}},
		"just seen": {Nodes: map[string]checks.NodeTimeline{"node2": {LastReady: began.Add(-5 * time.Second)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := missing(36)()
			r.Past = past
			recorded(r, probes.EvidenceApacheBalancerManager, probes.ServerMaintenance, "")
			follow := func(opener, node string, pause time.Duration) *probes.Trace {
				tr := r.visit(opener, node)
				tr.Continued, tr.Opened, tr.OpenerLabel = true, began.Add(-time.Minute), opener
				tr.Steps[0].At, tr.Steps[1].At, tr.Steps[1].Kind = began.Add(-pause), began, probes.StepReturn
				return tr
			}
			follow("node1", "node1", 3*time.Second)
			follow("node2", "node3", 31*time.Second).Steps[1].Session = otherSession
			report := checks.Judge(r.Round)
			if diff := cmp.Diff([]string{"info node_ejected/node2", "critical session_lost/node3 after a move <- node_ejected/node2"}, lines(report)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s", diff)
			}
			if f := report.Findings[0]; f.Remedy.ID != checks.MsgPutBack {
				t.Errorf("got the remedy %q for the node", f.Remedy)
			}
			if f := report.Findings[1]; f.Summary.Args.Duration != 0 || f.Remedy.ID != checks.MsgDrainBeforeOut {
				t.Errorf("got %q, %q for the sessions", f.Summary, f.Remedy)
			}
		})
	}
}

// TestAddedLine tests that no line of the list is called removed while clients are placed on a
// node that is not listed, although the others are where they would be without that line.
func TestAddedLine(t *testing.T) {
	t.Parallel()
	r := hashed(3)
	fewer, more := *r.Cluster, *r.Cluster
	fewer.Nodes = r.Cluster.Nodes[:2]
	more.Nodes = append(slices.Clone(r.Cluster.Nodes), probes.Node{ID: "node9", URL: must.URL("http://10.0.0.9:8080"), Weight: 1})
	configured, _ := checks.Oracle(r.Cluster)
	without, _ := checks.Oracle(&fewer)
	with, _ := checks.Oracle(&more)
	r.Traces, r.Past = nil, &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true}}
	placed := make(map[int]int)
	for i := range 200 {
		client := fmt.Sprintf("198.51.%d.7", i)
		before, _ := configured.Pick(client)
		after, _ := with.Pick(client)
		other, _ := without.Pick(client)
		if placed[after] == 2 || after != 3 && (after != before || after != other) {
			continue
		}
		placed[after]++
		tr := r.visit(slices.Repeat([]string{more.Nodes[after].ID}, 3)...)
		tr.Client, tr.TargetNode = client, more.Nodes[before].ID
		old := r.visit(more.Nodes[before].ID, more.Nodes[after].ID, more.Nodes[after].ID)
		old.Client, old.TargetNode, old.Continued = client, more.Nodes[before].ID, true
	}
	report := checks.Judge(r.Round)
	want := []string{"warning balancer_remapped [node1 node3]", "warning unknown_node/node9 <- balancer_remapped"}
	if diff := cmp.Diff(want, lines(report)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if summary := report.Findings[0].Summary.String(); !strings.Contains(summary, "added") {
		t.Errorf("got %q, want that a line was added", summary)
	}
}

// TestSlowAtFirst tests that a client was not remapped if its node was slow at the beginning of a long round, and the
// balancer left it out, although it is quick at the end and still knows the session.
func TestSlowAtFirst(t *testing.T) {
	t.Parallel()
	for slow, want := range map[time.Duration]bool{time.Millisecond: true, 4 * time.Second: false} {
		r := healthy()
		r.Past, r.Cluster.Balancer.Method = new(checks.Timelines), probes.MethodUnknown
		first := *r.node("node2")
		first.Primary.Timing.Total = slow
		r.NodesFirst = []probes.NodeObservation{first}
		w := r.visit("node2", "node1", "node1")
		w.Continued, w.OpenerLabel, w.Opened = true, "node2", began.Add(-time.Minute)
		w.Steps[0].At = began.Add(-3 * time.Second)
		w.Steps[1].Session, w.Steps[2].Session = otherSession, otherSession
		kept := w.Steps[0]
		kept.At = began.Add(time.Second)
		r.OwnerChecks = []probes.OwnerCheck{{
			FailoverCheck: probes.FailoverCheck{From: "node2", To: "node2", Session: kept.Session, There: kept.Exchange}, Opened: w.Opened,
		}}
		got := slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool { return f.Code == checks.BalancerRemapped })
		if got != want {
			t.Errorf("%v at first: got %q", slow, lines(checks.Judge(r.Round)))
		}
	}
}

// TestRemapRefuted tests that a remapping without a lost session ends if one of its clients is back on its node within
// seconds: nodes that restarted unnoticed had moved them.
func TestRemapRefuted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ago  time.Duration
		lost int
		ends bool
	}{{3 * time.Second, 0, true}, {3 * time.Second, 1, false}, {30 * time.Second, 0, false}} {
		r := healthy()
		r.Cluster.Balancer.Method, r.Cluster.Session.Policy = probes.MethodCookie, probes.PolicyReplicated
		at := began.Add(-tt.ago)
		r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Remapped: checks.Remapping{At: at, Last: at, Moved: 2, Of: 3, Lost: tt.lost}}}
		w := r.visit("node2", "node1")
		w.Continued, w.OpenerLabel, w.Opened = true, "node1", began.Add(-time.Minute)
		w.Steps[0].At = at.Add(time.Second)
		ended := !slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool { return f.Code == checks.BalancerRemapped })
		if ended != tt.ends {
			t.Errorf("%+v: got %q", tt, lines(checks.Judge(r.Round)))
		}
	}
}

// TestListRestoredBesideOutage tests that clients which move to their configured nodes, after the balancer had another
// list, were remapped, although a node is down: it is not theirs.
func TestListRestoredBesideOutage(t *testing.T) {
	t.Parallel()
	r := hashed(4)
	r.down("node4")
	out := checks.Disruption{Span: checks.Span{From: began.Add(-time.Minute), To: began}, Kind: checks.DisruptionDown, Gone: began}
	r.Past = &checks.Timelines{
		Balancer: checks.BalancerTimeline{Remapped: checks.Remapping{At: began.Add(-4 * time.Minute), Last: began.Add(-3 * time.Minute)}},
		Nodes:    map[string]checks.NodeTimeline{"node4": {Disruptions: []checks.Disruption{out}}},
	}
	oracle, _ := checks.Oracle(r.Cluster)
	for i, moved := 0, 0; moved < 3; i++ {
		client := fmt.Sprintf("198.51.%d.7", i)
		at, _ := oracle.Pick(client)
		if at == 3 {
			continue
		}
		moved++
		home := r.Cluster.Nodes[at].ID
		tr := r.visit(r.Cluster.Nodes[(at+1)%3].ID, home, home)
		tr.Client, tr.TargetNode, tr.Continued, tr.Opened = client, home, true, began.Add(-2*time.Minute)
		tr.Steps[0].At = began.Add(-3 * time.Second)
		tr.Steps[1].Session, tr.Steps[2].Session = otherSession, otherSession
	}
	if got := checks.Judge(r.Round).Findings; !slices.ContainsFunc(got, func(f checks.Finding) bool { return f.Code == checks.BalancerRemapped }) {
		t.Errorf("got %q, want balancer_remapped", lines(checks.Judge(r.Round)))
	}
}

// TestFewAnswersFitAnOrder tests that a list in another order is found only if too many answers fit
// for chance: four clients that are scattered over four nodes meet each of them once in a tenth of cases.
func TestFewAnswersFitAnOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answers int // to each new client
		known   bool
	}{{1, false}, {4, true}} {
		r := hashed(4)
		reversed := *r.Cluster
		reversed.Nodes = slices.Clone(r.Cluster.Nodes)
		slices.Reverse(reversed.Nodes)
		after, _ := checks.Oracle(&reversed)
		for i := range r.Traces {
			at, _ := after.Pick(r.Traces[i].Client)
			r.Traces[i].Steps = r.Traces[i].Steps[:tt.answers]
			for step := range r.Traces[i].Steps {
				r.Traces[i].Steps[step].Label = reversed.Nodes[at].ID
			}
		}
		old := r.visit("node1", "node4")
		old.TargetNode, old.Continued = "node1", true
		r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Agreed: true}}
		found := slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool {
			return f.Code == checks.BalancerRemapped && f.Summary.Args.Why != nil && f.Summary.Args.Why.ID == checks.MsgLinesReordered
		})
		if found != tt.known {
			t.Errorf("%d answers to each new client: got another order %t, want %t: %q", tt.answers, found, tt.known, lines(checks.Judge(r.Round)))
		}
	}
}

// TestScatters tests that the balancer is known to spread clients with several addresses if it keeps them.
func TestScatters(t *testing.T) {
	t.Parallel()
	for policy, want := range map[probes.Policy]bool{probes.PolicySticky: true, probes.PolicyReplicated: true, probes.PolicyShared: false} {
		r := healthy()
		r.Past, r.Cluster.Balancer.Method, r.Cluster.Session.Policy = new(checks.Timelines), probes.MethodUnknown, policy
		if one := checks.Judge(r.Round); one.Timelines.Balancer.Scatters {
			t.Errorf("%s: clients with one address scatter", policy)
		}
		r.Traces[0].Client = "198.18.0.1"
		if several := checks.Judge(r.Round); several.Timelines.Balancer.Scatters != want {
			t.Errorf("%s: clients with several addresses scatter: got %t, want %t", policy, !want, want)
		}
	}
}
