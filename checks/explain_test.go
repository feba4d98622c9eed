package checks

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// of returns a finding about one node. on returns a finding through the balancer that
// the nodes may have caused.
func of(code Code, severity Severity, node string) Finding { return about(code, severity, node) }

func on(code Code, severity Severity, target string, nodes ...string) Finding {
	return Finding{Code: code, Severity: severity, Target: target, Nodes: nodes}
}

func dependency(code Code, name string, nodes ...string) Finding {
	return Finding{Code: code, Severity: Critical, Dependency: name, Nodes: nodes}
}

// noneUp returns the finding that a node is down while all others are, too.
func noneUp(node string) Finding {
	f := of(NodeDown, Critical, node)
	f.Group = AllNodesDown
	return f
}

// takenOutNode returns the finding that the balancer leaves out a node.
func takenOutNode(node string, unprovoked bool) Finding {
	f := of(NodeEjected, Warning, node)
	f.facts.unprovoked = unprovoked
	return f
}

func remappedAfter(node string) Finding {
	return Finding{Code: BalancerRemapped, Severity: Critical, facts: facts{follows: []string{node}}}
}

// restarted returns the restart of a node some time before remappedAfter, with an aftermath of half a minute.
func restarted(node string, before time.Duration) Finding {
	f := of(NodeRestarted, Info, node)
	f.When, f.facts.aftermath = time.Time{}.Add(-before), 30*time.Second
	return f
}

// TestExplain tests which finding explains which, and their order.
func TestExplain(t *testing.T) {
	const lb = "http://shop.example"
	for _, tc := range []struct {
		name  string
		found []Finding
		want  []string // "key" or "key <- cause", in order
	}{
		{
			"each of several causes is followed by what it explains, the worst first",
			[]Finding{
				of(Slow, Warning, "node3"),
				of(NodeFailingInRotation, Critical, "node2"),
				of(NodeDown, Warning, "node2"),
				of(NodePaused, Critical, "node1"),
				dependency(DependencyDown, "Redis", "node1"),
			},
			[]string{
				"node_down/node2", "node_failing_in_rotation/node2 <- node_down/node2",
				"dependency_down/Redis", "node_paused/node1 <- dependency_down/Redis",
				"slow/node3",
			},
		},
		{
			"a node that is well was taken out, and clients of others were rehashed",
			[]Finding{takenOutNode("node2", true), remappedAfter("node2")},
			[]string{"balancer_remapped", "node_ejected/node2 <- balancer_remapped"},
		},
		{
			"a node that failed was left out, and clients of others were rehashed",
			[]Finding{takenOutNode("node2", false), remappedAfter("node2")},
			[]string{"node_ejected/node2", "balancer_remapped <- node_ejected/node2"},
		},
		{
			"a node was slow a minute after its restart, and clients of others were rehashed",
			[]Finding{restarted("node2", time.Minute), of(Slow, Warning, "node2"), remappedAfter("node2")},
			[]string{"slow/node2", "balancer_remapped <- slow/node2", "node_restarted/node2"},
		},
		{
			"a node was restarted, and clients of others were rehashed",
			[]Finding{restarted("node2", 20*time.Second), of(Slow, Warning, "node2"), remappedAfter("node2")},
			[]string{"node_restarted/node2", "balancer_remapped <- node_restarted/node2", "slow/node2"},
		},
		{
			"a node failed clients when it was restarted",
			[]Finding{of(NodeFailingInRotation, Critical, "node2"), restarted("node2", 20*time.Second)},
			[]string{"node_restarted/node2", "node_failing_in_rotation/node2 <- node_restarted/node2"},
		},
		{
			"a node fails clients a minute after its restart",
			[]Finding{of(NodeFailingInRotation, Critical, "node2"), restarted("node2", time.Minute)},
			[]string{"node_failing_in_rotation/node2", "node_restarted/node2"},
		},
		{
			"only clients with a session wait for the balancer in vain",
			[]Finding{{Code: BalancerError, Severity: Critical, Target: lb, facts: facts{onlyWithSession: true}}, on(SessionFailing, Critical, "", "node1")},
			[]string{"session_failing", "balancer_error/http://shop.example <- session_failing"},
		},
		{
			"no node is up: nothing at the balancer is a cause",
			[]Finding{
				on(BalancerError, Critical, lb),
				on(PageFailing, Critical, lb+"/app/"),
				aboutAll(SessionLost, Critical, []string{"node1"}),
				noneUp("node1"), noneUp("node2"),
			},
			[]string{
				"node_down/node1", "balancer_error/" + lb + " <- node_down/node1", "page_failing/" + lb + "/app/ <- node_down/node1",
				"session_lost <- node_down/node1", "node_down/node2",
			},
		},
		{
			"a chain: page, node in rotation, node down",
			[]Finding{
				on(PageFailing, Critical, lb+"/app/", "node2"),
				of(NodeFailingInRotation, Critical, "node2"),
				of(NodeDown, Warning, "node2"),
			},
			[]string{
				"node_down/node2", "node_failing_in_rotation/node2 <- node_down/node2",
				"page_failing/" + lb + "/app/ <- node_failing_in_rotation/node2",
			},
		},
		{
			"another node explains nothing",
			[]Finding{of(NodeFailingInRotation, Critical, "node2"), of(NodeDown, Warning, "node1")},
			[]string{"node_failing_in_rotation/node2", "node_down/node1"},
		},
		{
			"a page through the balancer is not the cause of what its node does",
			[]Finding{on(PageFailing, Critical, lb+"/app/", "node2"), of(NodeFailingInRotation, Critical, "node2")},
			[]string{"node_failing_in_rotation/node2", "page_failing/" + lb + "/app/ <- node_failing_in_rotation/node2"},
		},
		{
			"a page, by the same page on a node, whatever the balancer's address",
			[]Finding{
				on(PageFailing, Critical, lb+"/app/ (192.0.2.10:80)", "node2"),
				{Code: PageFailing, Severity: Warning, Node: "node2", Nodes: []string{"node2"}, Target: "/app/"},
			},
			[]string{"page_failing/node2 /app/", "page_failing/" + lb + "/app/ (192.0.2.10:80) <- page_failing/node2 /app/"},
		},
		{
			"a page, not by another page on that node",
			[]Finding{
				on(PageFailing, Critical, lb+"/app/", "node2"),
				{Code: PageFailing, Severity: Warning, Node: "node2", Nodes: []string{"node2"}, Target: "/admin"},
			},
			[]string{"page_failing/" + lb + "/app/", "page_failing/node2 /admin"},
		},
		{
			"the balancer's errors, by the nodes that may have caused them",
			[]Finding{on(BalancerError, Critical, lb, "node2"), of(NodePaused, Critical, "node1"), of(NodeDown, Warning, "node2")},
			[]string{"node_paused/node1", "node_down/node2", "balancer_error/" + lb + " <- node_down/node2"},
		},
		{
			"the balancer's errors, by no node where none may have caused them",
			[]Finding{on(BalancerError, Critical, lb), of(NodeDown, Critical, "node2")},
			[]string{"balancer_error/" + lb, "node_down/node2"},
		},
		{
			"lost sessions: the cookie before the sharing, the sharing before the drift",
			[]Finding{
				on(SessionDrift, Critical, ""), on(SessionLost, Critical, afterMove),
				on(SessionNotShared, Warning, ""), on(CookieRejected, Warning, "sid"),
			},
			[]string{
				"cookie_rejected/sid", "session_drift <- cookie_rejected/sid", "session_lost/after a move <- cookie_rejected/sid",
				"session_not_shared",
			},
		},
		{
			"sessions lost by moving",
			[]Finding{on(SessionDrift, Critical, ""), on(SessionLost, Critical, afterMove)},
			[]string{"session_drift", "session_lost/after a move <- session_drift"},
		},
		{
			"older contents of clients that several nodes had answered, as of PHP without a shared store",
			[]Finding{on(SessionDrift, Critical, ""), {Code: SessionRollback, Severity: Critical, facts: facts{roamed: true}}},
			[]string{"session_drift", "session_rollback <- session_drift"},
		},
		{
			"older contents of clients that stayed",
			[]Finding{on(SessionDrift, Critical, ""), on(SessionRollback, Critical, "")},
			[]string{"session_drift", "session_rollback"},
		},
		{
			"sessions that their own node lost",
			[]Finding{on(SessionDrift, Critical, ""), of(SessionLost, Critical, "node1"), on(SessionNotShared, Warning, "")},
			[]string{"session_drift", "session_lost", "session_not_shared <- session_lost"},
		},
		{
			"sessions lost with their store",
			[]Finding{of(SessionLost, Critical, "node1"), {Code: DependencyDown, Severity: Critical, Dependency: "Redis", facts: facts{store: true}}},
			[]string{"dependency_down/Redis", "session_lost <- dependency_down/Redis"},
		},
		{
			"sessions lost on a node that complains of a dependency",
			[]Finding{of(SessionLost, Critical, "node1"), dependency(DependencyDown, "Grid", "node1")},
			[]string{"dependency_down/Grid", "session_lost <- dependency_down/Grid"},
		},
		{
			"sessions lost, and mail is down: two causes",
			[]Finding{of(SessionLost, Critical, "node1"), dependency(DependencyDown, "SMTP")},
			[]string{"session_lost", "dependency_down/SMTP"},
		},
		{
			"errors of a node, by what is down for us, too",
			[]Finding{
				{Code: NodeDown, Severity: Warning, Node: "node1", Nodes: []string{"node1"}, facts: facts{erring: true}},
				{Code: DependencyDown, Severity: Critical, Dependency: "DB", facts: facts{unanswered: true}},
			},
			[]string{"dependency_down/DB", "node_down/node1 <- dependency_down/DB"},
		},
		{
			"errors of a node, while another one complains of something that answers us: two causes",
			[]Finding{
				{Code: NodeDown, Severity: Warning, Node: "node1", Nodes: []string{"node1"}, facts: facts{erring: true}},
				dependency(DependencyDown, "Mail", "node2"),
			},
			[]string{"dependency_down/Mail", "node_down/node1"},
		},
		{
			"errors of a page on a node, while another one cannot reach the session store",
			[]Finding{
				{Code: PageFailing, Severity: Critical, Node: "node2", Nodes: []string{"node2"}, Target: "/", facts: facts{erring: true}},
				{Code: DependencyDown, Severity: Critical, Dependency: "Redis", Nodes: []string{"node1"}, facts: facts{store: true}},
				{Code: PageFailing, Severity: Warning, Node: "node1", Nodes: []string{"node1"}, Target: "/gone"},
			},
			[]string{"dependency_down/Redis", "page_failing/node2 / <- dependency_down/Redis", "page_failing/node1 /gone"},
		},
		{
			"a dispute, by the same dependency",
			[]Finding{
				dependency(DependencyDown, "DB"), dependency(DependencyDown, "Redis"),
				{Code: DependencyDisputed, Severity: Warning, Dependency: "Redis"},
			},
			[]string{"dependency_down/DB", "dependency_down/Redis", "dependency_disputed/Redis <- dependency_down/Redis"},
		},
		{
			"handshakes, by a split",
			[]Finding{on(HandshakeBroken, Critical, ""), on(BalancerSplit, Warning, "")},
			[]string{"balancer_split", "handshake_broken <- balancer_split"},
		},
		{
			"handshakes, by the balancer's errors",
			[]Finding{{Code: HandshakeBroken, Severity: Critical, facts: facts{frontends: []string{lb}}}, on(BalancerError, Critical, lb)},
			[]string{"balancer_error/" + lb, "handshake_broken <- balancer_error/" + lb},
		},
		{
			"handshakes that break at an address that is well, too: two causes",
			[]Finding{{Code: HandshakeBroken, Severity: Critical, facts: facts{frontends: []string{lb, "another"}}}, on(BalancerDown, Critical, lb)},
			[]string{"handshake_broken", "balancer_down/" + lb},
		},
		{
			"handshakes, by a node that fails in rotation, where the nodes are not known",
			[]Finding{on(HandshakeBroken, Critical, ""), of(NodeFailingInRotation, Critical, "node2")},
			[]string{"node_failing_in_rotation/node2", "handshake_broken <- node_failing_in_rotation/node2"},
		},
		{
			"a split, by the address that has ejected a node",
			[]Finding{on(BalancerSplit, Warning, "", "node1", "node2"), of(NodeEjected, Warning, "node2")},
			[]string{"node_ejected/node2", "balancer_split <- node_ejected/node2"},
		},
		{
			"the balancer is slow, because a node is; a node is not, because the balancer is",
			[]Finding{on(Slow, Warning, lb), of(Slow, Warning, "node1"), of(Slow, Warning, "node2")},
			[]string{"slow/node1", "slow/" + lb + " <- slow/node1", "slow/node2"},
		},
		{
			"the primary was started last, because it was restarted",
			[]Finding{of(StartOrder, Warning, "node1"), of(NodeRestarted, Info, "node1")},
			[]string{"node_restarted/node1", "start_order/node1 <- node_restarted/node1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, f := range explain(tc.found) {
				line := f.Key()
				if f.ExplainedBy != "" {
					line += " <- " + f.ExplainedBy
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestErrorsInCrashLoop tests which errors of the balancer a crash loop explains.
func TestErrorsInCrashLoop(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	second := func(n int) time.Time { return at.Add(time.Duration(n) * time.Second) }
	loop := of(NodeRestarted, Critical, "node1")
	loop.Target, loop.observed.harm, loop.facts.aftermath = crashLoop, Span{second(0), second(9)}, 16*time.Second
	failing := of(SessionFailing, Critical, "")
	failing.Nodes = nil
	for name, tc := range map[string]struct {
		effect Finding
		others []Finding
		want   string
	}{
		"at the same time":      {Finding{observed: observed{harm: Span{second(3), second(12)}}}, nil, loop.Key()},
		"in its aftermath":      {Finding{observed: observed{harm: Span{second(15), second(18)}}}, nil, loop.Key()},
		"later":                 {Finding{observed: observed{harm: Span{second(30), second(40)}}}, nil, ""},
		"of another node":       {Finding{observed: observed{harm: Span{second(3), second(12)}}, Nodes: []string{"node2"}}, nil, ""},
		"of returning clients":  {Finding{observed: observed{harm: Span{second(3), second(12)}}, facts: facts{onlyWithSession: true}}, []Finding{failing}, failing.Key()},
		"while no node answers": {Finding{observed: observed{harm: Span{second(3), second(12)}}}, []Finding{noneUp("node2")}, "node_down/node2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			effect := tc.effect
			effect.Code, effect.Severity = BalancerError, Critical
			for _, f := range explain(append([]Finding{effect, loop}, tc.others...)) {
				if f.Code == BalancerError && f.ExplainedBy != tc.want {
					t.Errorf("explained by %q, want %q", f.ExplainedBy, tc.want)
				}
			}
		})
	}
}

// TestCausesNameCodes tests that the table of causes only names codes that exist.
func TestCausesNameCodes(t *testing.T) {
	for effect, list := range causes {
		for _, cause := range list {
			if !Known(effect) || !Known(cause.code) || cause.fits == nil {
				t.Errorf("%s is explained by %s: want two codes and a condition", effect, cause.code)
			}
		}
	}
}

// anyFindings generates findings of all codes about a few subjects.
func anyFindings() *rapid.Generator[[]Finding] {
	node := rapid.SampledFrom([]string{"", "node1", "node2"})
	one := rapid.Custom(func(t *rapid.T) Finding {
		f := Finding{
			Code:       rapid.SampledFrom(Catalogue).Draw(t, "entry").Code,
			Severity:   rapid.SampledFrom([]Severity{Info, Warning, Critical}).Draw(t, "severity"),
			Node:       node.Draw(t, "node"),
			Nodes:      rapid.SliceOfN(node, 0, 3).Draw(t, "nodes"),
			Dependency: rapid.SampledFrom([]string{"", "Redis", "DB"}).Draw(t, "dependency"),
			Target:     rapid.SampledFrom([]string{"", "/", "/app/", "http://lb/app/", afterMove}).Draw(t, "target"),
		}
		if f.Node != "" {
			f.Nodes = append(f.Nodes, f.Node)
		}
		return f
	})
	return rapid.Custom(func(t *rapid.T) []Finding {
		list := rapid.SliceOfN(one, 0, 30).Draw(t, "list")
		for i := range list { // earlier rounds know the causes of some
			if cause := rapid.IntRange(-30, len(list)-1).Draw(t, "known cause"); cause >= 0 && cause != i {
				list[i].ExplainedBy = list[cause].Key()
			}
		}
		return list
	})
}

// TestExplainKeepsAll tests that every finding is returned once, after the finding
// that explains it.
func TestExplainKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		found := anyFindings().Draw(t, "findings")
		explained := explain(slices.Clone(found))

		count := func(findings []Finding) map[string]int {
			seen := make(map[string]int)
			for _, f := range findings {
				f.ExplainedBy = ""
				seen[fmt.Sprintf("%+v", f)]++
			}
			return seen
		}
		if before, after := count(found), count(explained); !maps.Equal(before, after) {
			t.Fatalf("found %v, explained %v", before, after)
		}
		seen := make(map[string]bool)
		for _, f := range explained {
			if f.ExplainedBy != "" && !seen[f.ExplainedBy] {
				t.Fatalf("%s comes before %s, which explains it", f.Key(), f.ExplainedBy)
			}
			seen[f.Key()] = true
		}
	})
}

// TestAtBalancer tests that none of these findings is a cause while no node is up.
func TestAtBalancer(t *testing.T) {
	t.Parallel()
	for _, entry := range slices.Concat(Catalogue, OfMonitor) {
		if traits[entry.Code] != entry.traits {
			t.Errorf("%s has the traits %b, want those of its entry, %b", entry.Code, traits[entry.Code], entry.traits)
		}
	}
	for code := range traits {
		if !code.AtBalancer() {
			continue
		}
		found := explain([]Finding{{Code: code, Severity: Critical, Target: "http://shop.example"}, noneUp("node1"), noneUp("node2")})
		for _, f := range found {
			if f.Code == code && f.ExplainedBy != "node_down/node1" {
				t.Errorf("%s is explained by %q", code, f.ExplainedBy)
			}
		}
	}
}
