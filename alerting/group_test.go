package alerting

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// allDown returns the findings of a cluster whose nodes are all down.
func allDown(t *testing.T, more string) []checks.Finding {
	t.Helper()
	list := findings(t, "critical node_down/node1; critical node_down/node2; critical node_down/node3")
	for n := range list {
		list[n].Group = checks.AllNodesDown
	}
	return append(list, findings(t, more)...)
}

// TestAllNodesDownIsOneIncident: in every order in which nodes fail and recover.
func TestAllNodesDownIsOneIncident(t *testing.T) {
	const error1 = "critical balancer_error < node_down/node1"
	for name, rounds := range map[string][][]checks.Finding{
		"at once":             {allDown(t, "")},
		"one after the other": {findings(t, "warning node_down/node2"), findings(t, "warning node_down/node2; warning node_down/node3"), allDown(t, "")},
		"the consequence first": {
			findings(t, "critical balancer_error"), allDown(t, error1),
		},
		"consequences that come and go": {
			allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""),
			allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""),
		},
		"the balancer needs a while":      {allDown(t, ""), nil, findings(t, "critical balancer_error"), findings(t, "critical balancer_error")},
		"they return one after the other": {allDown(t, error1), findings(t, "warning node_down/node2; warning node_down/node3"), findings(t, "warning node_down/node3")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			var fired, resolved int
			at := noon
			for n := range len(rounds) + 40 {
				var seen []checks.Finding
				if n < len(rounds) {
					seen = rounds[n]
				}
				for _, notification := range r.see(at, "shop", seen) {
					switch notification.Kind {
					case NotificationFired:
						fired++
					case NotificationResolved:
						resolved++
					}
					if notification.Incident.Flapping {
						t.Errorf("%s says that it flaps", notification.ID)
					}
				}
				at = at.Add(5 * time.Second)
			}
			if fired != 1 || resolved != 1 {
				t.Errorf("got %d fired and %d resolved, want one of each", fired, resolved)
			}
		})
	}
}

// TestSilenceOfOneOfAGroup: a silence of one node does not silence the others.
func TestSilenceOfOneOfAGroup(t *testing.T) {
	r := newRig(usual())
	r.manager.SetSilences([]Silence{{ID: "a", Cluster: "shop", Node: "node1", From: noon, To: noon.Add(time.Hour)}})
	got := r.lines(r.see(noon, "shop", allDown(t, "")))
	expect.Equal(t, "notifications", []string{"ops fired #1 node_down/node1 critical"}, got)
}

// sum parses findings that name several nodes, and events.
func sum(t *testing.T, line string, when time.Time, nodes ...string) []checks.Finding {
	t.Helper()
	list := findings(t, line)
	for n := range list {
		if list[n].Node == "sessions lost" {
			list[n].Node, list[n].Target = "", "sessions lost"
		}
		if list[n].Node == "" {
			list[n].Nodes = nodes
		}
		list[n].When = when
	}
	return list
}

// costFollows marks the restarts among findings as such whose cost is not summed up yet.
func costFollows(list []checks.Finding) []checks.Finding {
	for n := range list {
		list[n].CostFollows = list[n].Code == checks.NodeRestarted
	}
	return list
}

// TestGroupings specifies which findings share an incident although none explains
// another.
func TestGroupings(t *testing.T) {
	const ejected1, split, cost = "warning node_ejected/node1", "critical balancer_split", "warning node_restarted/sessions lost"
	type at struct {
		seconds int
		seen    []checks.Finding
	}
	line := func(seconds int, text string) at { return at{seconds, findings(t, text)} }
	back := noon.Add(50 * time.Second)
	for name, tt := range map[string]struct {
		rounds []at
		want   []string // of each incident that was notified: its summary while it was active, and how many findings it has
	}{
		"nodes that fail together":           {[]at{line(0, down1+";"+down2), line(60, down1+";"+down2)}, []string{"2 nodes are down: node1, node2; 2"}},
		"the second a look later":            {[]at{line(0, down1), line(35, down1+";"+down2), line(70, down1+";"+down2)}, []string{"2 nodes are down: node1, node2; 2"}},
		"much later":                         {[]at{line(0, down1), line(121, down1+";"+down2), line(160, down1+";"+down2)}, []string{"summary of node_down/node1; 1", "summary of node_down/node2; 1"}},
		"only one of them is left":           {[]at{line(0, down1+";"+down2), line(60, down2)}, []string{"summary of node_down/node2; 2"}},
		"nodes that are paused, each itself": {[]at{line(0, paused1+";"+paused2)}, []string{"summary of node_paused/node1; 1", "summary of node_paused/node2; 1"}},
		"why sessions were lost":             {[]at{line(0, "critical session_lost/after a move"), line(3, "critical balancer_remapped"), line(40, "critical balancer_remapped")}, []string{"summary of balancer_remapped; 2"}},
		"why sessions are older": {
			[]at{{0, sum(t, "critical session_rollback", time.Time{}, "node1")}, {3, sum(t, "critical dependency_down/Redis", time.Time{}, "node1")}},
			[]string{"summary of dependency_down/Redis; 2"},
		},
		"paused after it was down":    {[]at{line(0, down1), line(40, down1), line(150, paused1), line(160, paused1)}, []string{"summary of node_down/node1; 1", "summary of node_paused/node1; 1"}},
		"one node, two troubles":      {[]at{line(0, "warning slow/node1"), line(30, "critical page_failing/node1; warning slow/node1")}, []string{"summary of slow/node1; 2"}},
		"an ejection that outlasts":   {[]at{line(0, down1), line(40, "info node_ejected/node1"), line(65, ejected1), line(100, ejected1)}, []string{"summary of node_down/node1; 2"}},
		"an ejection out of the blue": {[]at{line(0, "info node_ejected/node1"), line(20, ejected1), line(51, ejected1)}, []string{"summary of node_ejected/node1; 1"}},
		"clients still meet its failure": {
			[]at{line(0, down1), line(40, ""), {45, sum(t, "critical session_failing", time.Time{}, "node1")}},
			[]string{"summary of node_down/node1; 2"},
		},
		"errors of other nodes": {
			[]at{line(0, down1), line(31, down1), line(40, ""), {45, sum(t, "critical session_failing", time.Time{}, "node3")}},
			[]string{"summary of node_down/node1; 1", "summary of session_failing; 1"},
		},
		"by a failure that is not believed": {
			[]at{line(0, down1), line(40, ""), line(45, "critical balancer_remapped < node_restarted/node1")},
			[]string{"summary of node_down/node1; 2"},
		},
		"what it cost, while it is open":    {[]at{line(0, down1), line(50, ""), {70, sum(t, cost, back, "node1")}, {110, sum(t, cost, back, "node1")}}, []string{"summary of node_down/node1; 2"}},
		"what it cost, when it is resolved": {[]at{line(0, down1), line(31, down1), line(50, ""), line(80, ""), {90, sum(t, cost, back, "node1")}, {140, sum(t, cost, back, "node1")}}, []string{"summary of node_down/node1; 1"}},
		"what a slow node cost": {
			[]at{line(0, "warning slow/node1"), line(31, "warning slow/node1"), line(50, ""), {70, sum(t, cost, back, "node1")}, {110, sum(t, cost, back, "node1")}},
			[]string{"summary of slow/node1; 2"},
		},
		"what a slow node cost, when it is resolved": {
			[]at{line(0, "warning slow/node1"), line(31, "warning slow/node1"), line(50, ""), line(80, ""), {90, sum(t, cost, back, "node1")}, {140, sum(t, cost, back, "node1")}},
			[]string{"summary of slow/node1; 1"},
		},
		"what a failure cost that ended before it was confirmed": {
			[]at{line(0, "critical balancer_remapped < node_down/node1"), {45, append(findings(t, "critical balancer_remapped < node_down/node1"), sum(t, cost, back, "node1")...)}, {90, sum(t, cost, back, "node1")}},
			[]string{"summary of balancer_remapped; 2"},
		},
		"what the failure of another node cost": {
			[]at{line(0, "critical balancer_remapped < node_down/node2"), line(40, ""), {55, sum(t, cost, back, "node1")}, {90, sum(t, cost, back, "node1")}},
			[]string{"summary of balancer_remapped; 1", "summary of node_restarted/sessions lost; 1"},
		},
		"what a failure cost that was not notified": {
			[]at{line(0, down1), line(20, ""), line(51, ""), {60, sum(t, cost, noon.Add(20*time.Second), "node1")}, {95, sum(t, cost, noon.Add(20*time.Second), "node1")}},
			[]string{"summary of node_restarted/sessions lost; 1"},
		},
		"what the restarts of several nodes cost, of which one was known to be paused": {
			[]at{line(0, paused1), line(50, ""), line(80, ""), {90, sum(t, cost, back, "node1", "node2")}, {140, sum(t, cost, back, "node1", "node2")}},
			[]string{"summary of node_paused/node1; 1", "summary of node_restarted/sessions lost; 1"},
		},
		"what a rolling restart cost, when the first node's is resolved otherwise": {
			[]at{
				{0, costFollows(findings(t, "info node_restarted/node1; critical balancer_error < node_restarted/node1; info node_restarted/node2"))},
				{10, costFollows(findings(t, "info node_restarted/node1; info node_restarted/node2"))},
				{45, costFollows(findings(t, "info node_restarted/node1; info node_restarted/node2"))},
				{60, append(sum(t, cost, noon, "node1", "node2"), findings(t, "info node_restarted/node1; info node_restarted/node2")...)},
				{95, sum(t, cost, noon, "node1", "node2")},
			},
			[]string{"summary of node_restarted/node1; 3"},
		},
		"what a later restart cost": {
			[]at{line(0, down1), line(31, down1), line(50, ""), line(80, ""), {120, sum(t, cost, noon.Add(100*time.Second), "node1")}, {155, sum(t, cost, noon.Add(100*time.Second), "node1")}},
			[]string{"summary of node_down/node1; 1", "summary of node_restarted/sessions lost; 1"},
		},
		"what a restart cost that the incident before only listed": {
			[]at{
				{0, append(sum(t, cost, noon, "node1"), findings(t, "info node_restarted/node1 < node_restarted/sessions lost")...)},
				{31, append(sum(t, cost, noon, "node1"), findings(t, "info node_restarted/node1 < node_restarted/sessions lost")...)},
				line(40, ""), line(50, "info node_restarted/node1; info node_ejected/node1 < node_restarted/node1"), line(55, "info node_restarted/node1"), line(75, ""),
				{100, sum(t, cost, noon.Add(60*time.Second), "node1")},
				{135, sum(t, cost, noon.Add(60*time.Second), "node1")},
			},
			[]string{"summary of node_restarted/sessions lost; 1", "summary of node_restarted/sessions lost; 3"},
		},
		"a session store that is back without sessions": {
			[]at{{0, sum(t, "critical dependency_down/Redis", time.Time{}, "node1", "node2")}, line(10, ""), {15, sum(t, "critical session_lost", time.Time{}, "node2")}},
			[]string{"summary of dependency_down/Redis; 2"},
		},
		"sessions that are gone after all nodes were down": {
			[]at{{0, allDown(t, "")}, line(10, ""), {15, sum(t, "critical session_lost", time.Time{}, "node2")}},
			[]string{"no node is up: node1; 4"},
		},
		"sessions of nodes that do not use the dependency": {
			[]at{{0, sum(t, "critical dependency_down/Redis", time.Time{}, "node1")}, line(10, ""), {15, sum(t, "critical session_lost", time.Time{}, "node2")}},
			[]string{"summary of dependency_down/Redis; 1", "summary of session_lost; 1"},
		},
		"a balancer that does not keep clients on their node, by what it costs and then as drift": {
			[]at{{0, sum(t, "critical session_lost/after a move", time.Time{}, "node1")}, line(10, ""), {20, sum(t, "critical session_drift", time.Time{}, "node1", "node2")}},
			[]string{"summary of session_drift; 2"},
		},
		"drift long after a loss": {
			[]at{{0, sum(t, "critical session_lost/after a move", time.Time{}, "node1")}, line(10, ""), {135, sum(t, "critical session_drift", time.Time{}, "node1", "node2")}},
			[]string{"summary of session_drift; 1", "summary of session_lost/after a move; 1"},
		},
		"sessions lost long after": {
			[]at{{0, sum(t, "critical dependency_down/Redis", time.Time{}, "node1")}, line(10, ""), {135, sum(t, "critical session_lost", time.Time{}, "node1")}},
			[]string{"summary of dependency_down/Redis; 1", "summary of session_lost; 1"},
		},
		"the balancer's way to its nodes": {[]at{line(0, split), line(5, split+"; critical balancer_error"), line(40, ejected1)}, []string{"summary of balancer_split; 3"}},
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarts %t", name, restarts), func(t *testing.T) {
				r := newRig(usual())
				var ids, got []string
				summaries := make(map[string]string)
				for _, round := range tt.rounds {
					at := noon.Add(time.Duration(round.seconds) * time.Second)
					for _, notification := range append(r.see(at, "shop", round.seen), r.commit(r.manager.Tick(at))...) {
						if !slices.Contains(ids, notification.Incident.ID) {
							ids = append(ids, notification.Incident.ID)
						}
					}
					for _, i := range r.kept {
						if i.Active() {
							summaries[i.ID] = English.Summary(i)
						}
					}
					if restarts {
						r.restart(at)
					}
				}
				for _, id := range ids {
					got = append(got, fmt.Sprintf("%s; %d", summaries[id], len(r.kept[id].Findings)))
				}
				slices.Sort(got)
				expect.Equal(t, "incidents", tt.want, got)
			})
		}
	}
}

// TestStartOfEventThatRecurs: an event that happens again before anybody was notified
// starts the incident anew; a notified incident keeps its start.
func TestStartOfEventThatRecurs(t *testing.T) {
	const cost = "warning node_restarted/sessions lost"
	for name, tt := range map[string]struct {
		again time.Duration
		want  time.Duration
	}{
		"nobody was notified":             {20 * time.Second, 20 * time.Second},
		"somebody was notified meanwhile": {50 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			when := noon.Add(-5 * time.Second)
			for at := time.Duration(0); at <= tt.again; at += 5 * time.Second {
				if at == tt.again {
					when = noon.Add(at - time.Second)
				}
				r.see(noon.Add(at), "shop", sum(t, cost, when, "node1"))
				r.commit(r.manager.Tick(noon.Add(at)))
			}
			for _, i := range r.kept {
				if got := i.Started.Sub(noon); got != tt.want {
					t.Errorf("started after %s, want %s", got, tt.want)
				}
			}
		})
	}
}

// TestEventThatRecurs: receivers of an incident are notified if an event of it happens again, to another node.
func TestEventThatRecurs(t *testing.T) {
	const cost = "warning node_restarted/sessions lost"
	r := newRig(usual())
	r.see(noon, "shop", sum(t, cost, noon, "node1"))
	var got []string
	for at := 40 * time.Second; at <= 2*time.Minute; at += 40 * time.Second {
		seen := sum(t, cost, noon, "node1")
		if at > 40*time.Second {
			seen = sum(t, cost, noon.Add(50*time.Second), "node2")
		}
		got = append(got, r.lines(r.see(noon.Add(at), "shop", seen))...)
	}
	want := []string{"ops fired #1 node_restarted/sessions lost warning", "ops developed #1 node_restarted/sessions lost warning [returned node_restarted/sessions lost]"}
	expect.Equal(t, "notifications", want, got)
}

// TestStartOfAnotherCause: a consequence that gets another cause does not make its incident begin earlier.
func TestStartOfAnotherCause(t *testing.T) {
	r := newRig(usual())
	r.see(noon, "shop", findings(t, "critical balancer_error < slow/node2; warning slow/node2"))
	later := noon.Add(3 * time.Minute)
	r.see(later, "shop", findings(t, "critical balancer_error < node_down/node1; critical node_down/node1; warning slow/node2"))
	var started []time.Time
	for _, id := range r.ids {
		started = append(started, r.kept[id].Started)
	}
	expect.Equal(t, "starts", []time.Time{noon, later}, started)
}

// TestCostHidesNothing: the cost of a failure that was notified opens no incident, but what it
// explains does.
func TestCostHidesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		with string
		want int
	}{
		"alone":                   {"", 0},
		"with its restart":        {"; info node_restarted/node1 < node_restarted/sessions lost", 0},
		"with what is worse":      {"; info node_restarted/node1 < node_restarted/sessions lost; critical balancer_remapped < node_restarted/node1", 1},
		"with the order of nodes": {"; warning start_order/node1 < node_restarted/sessions lost", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			r.see(noon, "shop", findings(t, "critical node_down/node1"))
			r.see(noon.Add(time.Minute), "shop", nil)
			for at := time.Minute; at < 2*time.Minute; at += 5 * time.Second {
				r.commit(r.manager.Tick(noon.Add(at)))
			}
			fired := 0
			for at := 2 * time.Minute; at < 3*time.Minute; at += 5 * time.Second {
				for _, n := range r.see(noon.Add(at), "shop", sum(t, "warning node_restarted/sessions lost"+tt.with, noon.Add(time.Minute), "node1")) {
					if n.Kind == NotificationFired {
						fired++
					}
				}
			}
			expect.Equal(t, "incidents fired", tt.want, fired)
		})
	}
}

// activeFindings returns a finding that has been active since noon.
func activeFindings(f checks.Finding) checks.ActiveFinding {
	return checks.ActiveFinding{Finding: f, Since: noon, Last: noon}
}

func TestCauseGroups(t *testing.T) {
	for name, tt := range map[string]struct {
		active string
		want   [][]string
	}{
		"nothing":                   {"", nil},
		"each its own cause":        {down1 + ";" + paused2, [][]string{{"node_down/node1"}, {"node_paused/node2"}}},
		"the root leads":            {paused1 + byRedis + ";" + redis, [][]string{{"dependency_down/Redis", "node_paused/node1"}}},
		"a chain":                   {"critical balancer_error < node_failing_in_rotation/node1;" + rotation1 + ";" + down1, [][]string{{"node_down/node1", "balancer_error", "node_failing_in_rotation/node1"}}},
		"a cause that is not there": {paused1 + byRedis, [][]string{{"node_paused/node1"}}},
		"one that is not there":     {paused1 + byRedis + ";" + down1 + ";" + paused2 + byRedis, [][]string{{"node_paused/node1", "node_paused/node2"}, {"node_down/node1"}}},
		"its own cause":             {"warning slow < slow", [][]string{{"slow"}}},
		"a circle": {
			"warning slow < node_down/node1; warning node_down/node1 < slow; critical balancer_error < slow",
			[][]string{{"node_down/node1", "slow", "balancer_error"}},
		},
		"one key twice": {down1 + ";" + down1, [][]string{{"node_down/node1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var active []checks.ActiveFinding
			for _, f := range findings(t, tt.active) {
				active = append(active, activeFindings(f))
			}
			var got [][]string
			for _, group := range causeGroups(active) {
				var keys []string
				for _, found := range group.members {
					keys = append(keys, found.Key())
				}
				got = append(got, keys)
			}
			expect.Equal(t, "cause groups", tt.want, got)
		})
	}
}

// TestUnlistedNodesAreOneIncident: new nodes that the balancer uses at once are one event.
// One that joins much later is another.
func TestUnlistedNodesAreOneIncident(t *testing.T) {
	r := newRig(usual())
	var got []string
	seen := findings(t, "warning unknown_node/node4; warning unknown_node/node5; warning unknown_node/node6")
	for _, after := range []time.Duration{0, time.Minute, 5 * time.Minute, 6 * time.Minute} {
		if after == 5*time.Minute {
			seen = append(seen, findings(t, "warning unknown_node/node7")...)
		}
		got = append(got, r.lines(r.see(noon.Add(after), "shop", seen))...)
	}
	want := []string{"ops fired #1 unknown_node/node4 warning", "ops fired #2 unknown_node/node7 warning"}
	expect.Equal(t, "notifications", want, got)
}

// TestOlderAndGone: sessions of which some come back with older contents, and others without any, are one
// incident.
func TestOlderAndGone(t *testing.T) {
	r := newRig(usual())
	got := r.lines(r.see(noon, "shop", findings(t, "critical session_rollback")))
	got = append(got, r.lines(r.see(noon.Add(time.Minute), "shop", findings(t, "critical session_rollback; critical session_lost")))...)
	expect.Equal(t, "notifications", []string{"ops fired #1 session_rollback critical", "ops developed #1 session_rollback critical [joined session_lost]"}, got)
}

// TestIncidentStartsWithItsCause: an incident does not start with a finding that was only
// information.
func TestIncidentStartsWithItsCause(t *testing.T) {
	r := newRig(usual())
	r.see(noon, "shop", findings(t, "info node_ejected/node4"))
	r.see(noon.Add(time.Minute), "shop", findings(t, "warning slow/node4; info node_ejected/node4 < slow/node4"))
	r.see(noon.Add(2*time.Minute), "shop", findings(t, "warning slow/node4; critical balancer_error; info node_ejected/node4 < slow/node4"))
	if got := r.kept[r.ids[0]].Started; !got.Equal(noon.Add(time.Minute)) {
		t.Errorf("started %v, want a minute after noon", got)
	}
}
