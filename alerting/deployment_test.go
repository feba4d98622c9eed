package alerting

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// TestExplains specifies which findings a deployment explains.
func TestExplains(t *testing.T) {
	const s = time.Second
	about := func(text string, nodes ...string) checks.Finding {
		f := checks.Finding{Code: checks.Code(text), Severity: checks.Critical, Nodes: nodes}
		if len(nodes) == 1 {
			f.Node = nodes[0]
		}
		return f
	}
	group := func(f checks.Finding) checks.Finding {
		f.Group = checks.AllNodesDown
		return f
	}
	for name, tt := range map[string]struct {
		finding checks.Finding
		age     time.Duration
		want    holdBack
	}{
		"a touched node is down":                          {about("node_down", "node1"), time.Hour, holdTouchedNode},
		"another node is down":                            {about("node_down", "node3"), 0, notTouched},
		"all nodes are down, for a moment":                {group(about("node_down", "node1")), 60 * s, holdTouchedNode},
		"all nodes are down, for long":                    {group(about("node_down", "node1")), 61 * s, notLongOutage},
		"a touched node is ejected":                       {about("node_ejected", "node2"), time.Hour, holdTouchedNode},
		"a touched node starts":                           {about("node_paused", "node2"), time.Hour, holdTouchedNode},
		"a page of a touched node fails":                  {about("page_failing", "node2"), time.Hour, holdTouchedNode},
		"a page of another node fails":                    {about("page_failing", "node3"), 0, notTouched},
		"a page fails for clients, for a moment":          {about("page_failing"), 60 * s, holdShortOutage},
		"a page fails for clients, for long":              {about("page_failing"), 61 * s, notLongOutage},
		"handshakes fail at another node, for a moment":   {about("handshake_broken", "node3"), 60 * s, holdShortOutage},
		"upgrades fail at a touched node, for long":       {about("upgrade_refused", "node1"), 61 * s, notLongOutage},
		"the balancer returns errors, for a moment":       {about("balancer_error", "node1"), 60 * s, holdShortOutage},
		"the balancer returns errors, for long":           {about("balancer_error", "node1"), 61 * s, notLongOutage},
		"the balancer does not answer, for a moment":      {about("balancer_down"), 60 * s, holdShortOutage},
		"the balancer does not answer, for long":          {about("balancer_down"), 61 * s, notLongOutage},
		"sessions of touched nodes are lost":              {about("session_lost", "node1", "node2"), time.Hour, holdTouchedOwner},
		"sessions of a touched node and another are lost": {about("session_lost", "node1", "node3"), 6 * s, notTouched},
		"sessions of another node are lost, just now":     {about("session_lost", "node3"), 4 * s, holdUnsettled},
		"sessions of another node are lost, a while ago":  {about("session_lost", "node3"), 5 * s, notTouched},
		"a session of an unknown node is rolled back":     {about("session_rollback"), 5 * s, notTouched},
		"sessions move away from a touched node":          {about("session_drift", "node2"), time.Hour, holdTouchedOwner},
		"clients with sessions get errors, briefly":       {about("session_failing", "node2"), 60 * s, holdTouchedOwner},
		"clients with sessions get errors, for long":      {about("session_failing", "node2"), 61 * s, notLongOutage},
		"a session is shown to two clients":               {about("session_leaked", "node1"), 0, notLeaked},
		"the pool changed":                                {about("balancer_remapped"), time.Hour, holdTouchedOwner},
		"a node answers that is not listed":               {about("unknown_node"), time.Hour, holdNewNode},
		"versions differ":                                 {about("version_skew", "node1", "node3"), time.Hour, holdMixedVersions},
		"a dependency is down":                            {about("dependency_down", "node1"), 0, notByDeployment},
		"a certificate expires":                           {about("certificate_expiring", "node1"), 0, notByDeployment},
	} {
		t.Run(name, func(t *testing.T) {
			d := Deployment{From: noon, Touched: []string{"node1", "node2"}}
			at := noon.Add(2 * time.Hour)
			got := d.explains(at, checks.ActiveFinding{Finding: tt.finding, Since: at.Add(-tt.age), Last: at})
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got.isHeld() == strings.HasPrefix(string(got), "not_") {
				t.Errorf("%s: held is %v", got, got.isHeld())
			}
		})
	}
}

// TestLossSeenOnce checks that a session loss that only one round found is held back,
// because its node may have restarted between two requests. It is not held back if the
// deployment names other nodes.
func TestLossSeenOnce(t *testing.T) {
	at := noon.Add(time.Hour)
	// Last is the start of the round, Since its first evidence.
	lost := checks.ActiveFinding{Finding: checks.Finding{Code: checks.SessionLost, Nodes: []string{"node3"}}, Since: at.Add(-6 * time.Second), Last: at.Add(-7 * time.Second)}
	again := lost
	again.Last = at.Add(-3 * time.Second)
	for name, tt := range map[string]struct {
		nodes   []string
		finding checks.ActiveFinding
		want    holdBack
	}{
		"once":                          {nil, lost, holdUnsettled},
		"again":                         {nil, again, notTouched},
		"once, at a node that is named": {[]string{"node1", "node2"}, lost, notTouched},
	} {
		expect.Equal(t, name, tt.want, (Deployment{From: noon, Nodes: tt.nodes}).explains(at, tt.finding))
	}
}

// TestExplainsAnnounced: if nodes were announced, observed nodes do not count.
func TestExplainsAnnounced(t *testing.T) {
	d := Deployment{From: noon, Nodes: []string{"node1"}, Touched: []string{"node2"}}
	for node, want := range map[string]holdBack{"node1": holdTouchedNode, "node2": notTouched} {
		f := checks.Finding{Code: checks.NodeDown, Node: node, Nodes: []string{node}}
		expect.Equal(t, node, want, d.explains(noon, checks.ActiveFinding{Finding: f, Since: noon}))
	}
}

// TestTouchedIn specifies which nodes count as touched in a round.
func TestTouchedIn(t *testing.T) {
	c := &probes.Cluster{}
	r := checks.Report{Timelines: &checks.Timelines{Nodes: map[string]checks.NodeTimeline{
		"restarted before": {Restarted: noon.Add(-time.Second)}, "restarted": {Restarted: noon.Add(time.Second)},
	}}}
	for _, n := range []checks.NodeReport{
		{NodeObservation: &probes.NodeObservation{Node: "well"}, Up: true, InRotation: checks.Yes},
		{NodeObservation: &probes.NodeObservation{Node: "restarted before"}, Up: true, InRotation: checks.Yes},
		{NodeObservation: &probes.NodeObservation{Node: "restarted"}, Up: true, InRotation: checks.Unknown},
		{NodeObservation: &probes.NodeObservation{Node: "refuses", Primary: probes.Exchange{Failure: probes.FailureRefused}}},
		{NodeObservation: &probes.NodeObservation{Node: "not asked", Primary: probes.Exchange{Failure: probes.FailureCancelled}}},
		{NodeObservation: &probes.NodeObservation{Node: "drained"}, Up: true, InRotation: checks.No},
		{NodeObservation: &probes.NodeObservation{Node: "down in the file"}, Up: true, InRotation: checks.No},
		{NodeObservation: &probes.NodeObservation{Node: "starts", Status: &probes.StatusReport{State: "paused"}}, Up: true, InRotation: checks.Yes},
	} {
		r.Nodes = append(r.Nodes, n)
		c.Nodes = append(c.Nodes, probes.Node{ID: n.Node, Down: n.Node == "down in the file"})
	}
	r.Findings = []checks.Finding{{Code: checks.NodeEjected, Node: "well"}}
	want := []string{"restarted", "refuses", "drained", "starts", "well"}
	expect.Equal(t, "touched", want, TouchedIn(c, r, noon))
}

// A deploymentRig is a rig with a deployment that starts at noon and names no nodes: nodes
// observed down count as touched.
type deploymentRig struct{ *rig }

func newDeploymentRig(c Config) deploymentRig {
	r := deploymentRig{newRig(c)}
	r.manager.SetDeployments([]Deployment{{ID: "7", Cluster: "shop", Name: "4.2", From: noon}})
	return r
}

func (d deploymentRig) end(at time.Time) {
	deployment := d.manager.deployments.list[0].clone()
	deployment.To = at
	d.manager.SetDeployments([]Deployment{deployment})
}

// round runs a round and returns its notifications and due summaries as text.
func (d deploymentRig) round(t *testing.T, at time.Time, active string) []string {
	t.Helper()
	found := findings(t, active)
	for n := range found {
		if found[n].Code == checks.NodeRestarted {
			found[n].When = noon.Add(15 * time.Second)
		}
	}
	notifications := d.see(at, "shop", found)
	for _, deployment := range d.manager.DueSummaries(at) {
		notifications = append(notifications, d.commit(d.manager.SumUp(at, deployment.ID, Counts{Moved: 12, Lost: 3, Longest: 3400 * time.Millisecond}))...)
	}
	var lines []string
	for _, n := range notifications {
		if n.Deployment != nil {
			lines = append(lines, n.Receiver+" "+n.Incident.Cause.Summary.String())
			continue
		}
		lines = append(lines, d.lines([]Notification{n})...)
	}
	return lines
}

// TestDeployment specifies the notifications during and after a deployment of one
// minute.
func TestDeployment(t *testing.T) {
	const s = time.Second
	type roundStep struct {
		at     time.Duration
		active string
		want   []string
	}
	const summary = "ops deployment 4.2 of shop: 12 sessions moved, 3 lost, longest outage 3.4 s, "
	for name, steps := range map[string][]roundStep{
		"a rolling restart is summed up once": {
			{5 * s, "critical node_down/node1; critical balancer_error", nil},
			{15 * s, "", nil},
			{25 * s, "critical node_down/node2; warning node_ejected/node1", nil},
			{55 * s, "warning node_ejected/node2", nil},
			{70 * s, "warning node_ejected/node2", nil},
			{80 * s, "", nil},
			{90 * s, "", []string{summary + "no active findings"}},
			{91 * s, "", nil},
			{300 * s, "", nil},
		},
		"what outlives the grace is notified": {
			{5 * s, "critical node_down/node1", nil},
			{89 * s, "critical node_down/node1", nil},
			{90 * s, "critical node_down/node1", []string{
				"ops fired #1 node_down/node1 critical", summary + "still active: node down",
			}},
		},
		"a restart during the deployment is never notified": {
			{5 * s, "critical node_down/node1", nil},
			{15 * s, "warning node_restarted/node1", nil},
			{90 * s, "warning node_restarted/node1", []string{summary + "no active findings"}},
			{135 * s, "warning node_restarted/node1", nil},
		},
		"an ejection after the grace period is notified separately": {
			{5 * s, "critical node_down/node1", nil},
			{15 * s, "warning node_restarted/node1", nil},
			{90 * s, "warning node_restarted/node1", []string{summary + "no active findings"}},
			{100 * s, "warning node_restarted/node1; critical node_ejected/node1", []string{"ops fired #1 node_ejected/node1 critical"}},
		},
		"a long outage is notified at once": {
			{1 * s, "critical balancer_error", nil},
			{59 * s, "critical balancer_error", nil},
			{62 * s, "critical balancer_error", []string{"ops fired #1 balancer_error critical"}},
		},
		"what a deployment does not bring about is notified at once": {
			{5 * s, "critical node_down/node1; " + redis, []string{"ops fired #2 dependency_down/Redis critical"}},
		},
		"sessions of a touched node, and then of another": {
			{5 * s, "critical node_down/node1; critical session_rollback", nil}, // of an unknown node
			{10 * s, "critical node_down/node1; critical session_rollback", []string{"ops fired #2 session_rollback critical"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, restarts := range []bool{false, true} {
				r := newDeploymentRig(usual())
				for _, step := range steps {
					at := noon.Add(step.at)
					if step.at >= 60*s && r.manager.deployments.list[0].To.IsZero() {
						r.end(noon.Add(60 * s))
					}
					expect.Equal(t, fmt.Sprintf("at %s, restarts: %v", step.at, restarts), step.want, r.round(t, at, step.active))
					if restarts {
						r.restart(at)
					}
				}
			}
		})
	}
}

// TestFoundAfterTheGrace: what the last round within the grace has found is notified when a later one finds it, too.
func TestFoundAfterTheGrace(t *testing.T) {
	const s = time.Second
	r := newDeploymentRig(usual())
	r.round(t, noon.Add(5*s), "critical node_down/node1")
	r.end(noon.Add(60 * s))
	r.round(t, noon.Add(89*s), "critical node_down/node1")
	if got := r.manager.Tick(noon.Add(95 * s)).Notifications; len(got) > 0 {
		t.Errorf("got %v before another round, want none", got)
	}
	for _, n := range r.round(t, noon.Add(96*s), "critical node_down/node1") {
		if strings.Contains(n, "fired") {
			return
		}
	}
	t.Error("the finding was not notified")
}

// TestSummaryGoesWhereWarningsGo: receivers of critical incidents only get no
// summary, and nobody gets one while the cluster is silenced.
func TestSummaryGoesWhereWarningsGo(t *testing.T) {
	c := usual()
	c.Receivers = []string{"ops", "pager", "crm", "paused"}
	c.Routes = []Route{
		{Receiver: "pager", Severity: checks.Critical, Continue: true},
		{Receiver: "crm", Cluster: "crm", Continue: true},
		{Receiver: "paused", Code: checks.NodePaused, Continue: true},
		{Receiver: "ops", Severity: checks.Warning},
	}
	for name, tt := range map[string]struct {
		silences []Silence
		want     []string
	}{
		"by routes":               {nil, []string{"ops"}},
		"a node is silenced":      {[]Silence{{Cluster: "shop", Node: "node1", From: noon, To: noon.Add(24 * time.Hour)}}, []string{"ops"}},
		"the cluster is silenced": {[]Silence{{Cluster: "shop", From: noon, To: noon.Add(24 * time.Hour)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDeploymentRig(c)
			r.manager.SetSilences(tt.silences)
			at := noon.Add(LongestDeployment + defaultGrace) // nobody ends it
			decision := r.manager.SumUp(at, "7", Counts{})
			var got []string
			for _, n := range decision.Notifications {
				got = append(got, n.Receiver)
			}
			expect.Equal(t, "receivers", tt.want, got)
			if len(decision.Deployments) != 1 || !decision.Deployments[0].Summed.Equal(at) {
				t.Errorf("got %v, want it to be summed up", decision.Deployments)
			}
			if again := r.manager.SumUp(at, "7", Counts{}); !again.Empty() {
				t.Errorf("got %v for what has been summed up", again)
			}
		})
	}
}

// TestDeploymentCounts: clients, canaries, and the history know different sessions;
// the larger count is used.
func TestDeploymentCounts(t *testing.T) {
	r := newDeploymentRig(usual())
	for n := range 5 {
		session := probes.Fingerprint(strconv.Itoa(n))
		for range 3 { // it stays lost
			r.manager.ObserveRequest(checks.Request{Cluster: "shop", Session: session, At: noon.Add(time.Duration(n) * time.Second), Outcome: checks.OutcomeLost})
		}
		r.manager.ObserveRequest(checks.Request{Cluster: "shop", At: noon, Outcome: checks.OutcomeServed})
		r.manager.ObserveRequest(checks.Request{Cluster: "crm", At: noon, Outcome: checks.OutcomeLost})
	}
	d := r.manager.deployments.list[0].clone()
	d.To, d.Watched = noon.Add(time.Minute), &WatchedCounts{Moved: 20, Lost: 1, Longest: time.Second}
	r.manager.SetDeployments([]Deployment{d})
	at := noon.Add(2 * time.Minute)
	got := r.manager.SumUp(at, "7", Counts{Moved: 3, Lost: 2, Longest: 2 * time.Second}).Notifications[0].Deployment.Counts
	expect.Equal(t, "counts", Counts{Moved: 20, Lost: 5, Longest: 2 * time.Second}, got)
}

// TestLostBeforeTakeover: sites report a lost session to the next owner of the cluster again, which counts
// only those that the earlier one has not.
func TestLostBeforeTakeover(t *testing.T) {
	lost := func(r deploymentRig, name string, after time.Duration) {
		r.manager.ObserveRequest(checks.Request{Cluster: "shop", Session: probes.Fingerprint(name), At: noon.Add(after), Outcome: checks.OutcomeLost})
	}
	first := newDeploymentRig(usual())
	lost(first, "a", 2*time.Second)
	lost(first, "b", time.Second)
	stored := first.manager.deployments.list[0].clone()
	stored.LastLost = stored.LastLost.Truncate(time.Millisecond)

	next := newDeploymentRig(usual())
	for range 2 { // announcements are read again at every change
		next.manager.SetDeployments([]Deployment{stored})
		lost(next, "a", 2*time.Second)
		lost(next, "b", time.Second)
		lost(next, "c", 2*time.Second+time.Millisecond)
	}
	if got := next.manager.deployments.list[0].CanariesLost; got != 3 {
		t.Errorf("the next owner counts %d lost sessions, want 3", got)
	}
}

// TestCrashLoopOfDeployments: restarts by deployments make no crash loop, also after the
// deployments, unless enough others remain.
func TestCrashLoopOfDeployments(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		restarts []time.Duration
		lost     int
		want     []string
	}{
		"all by deployments":                            {[]time.Duration{5 * s, 65 * s, 125 * s}, 0, nil},
		"two others before the deployments":             {[]time.Duration{-40 * s, -20 * s, 5 * s, 65 * s}, 0, nil},
		"three others before the deployments":           {[]time.Duration{-60 * s, -40 * s, -20 * s, 5 * s}, 0, []string{"ops fired #1 node_restarted/node1 crash loop warning"}},
		"all by deployments, with lost sessions":        {[]time.Duration{5 * s, 65 * s, 125 * s}, 7, nil},
		"one after the deployments":                     {[]time.Duration{5 * s, 65 * s, 200 * s}, 0, nil},
		"one after the deployments, with lost sessions": {[]time.Duration{5 * s, 65 * s, 200 * s}, 7, []string{"ops fired #1 node_restarted/node1 crash loop warning"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			var announced []Deployment
			for n := range 3 {
				from := noon.Add(time.Duration(n) * time.Minute)
				announced = append(announced, Deployment{ID: strconv.Itoa(n), Cluster: "shop", From: from, To: from.Add(20 * s), Nodes: []string{"node1"}})
			}
			r.manager.SetDeployments(announced)
			f := finding(t, "warning node_restarted/node1")
			f.Target, f.Summary.Args.Lost = "crash loop", tt.lost
			for _, restart := range tt.restarts {
				f.Times = append(f.Times, noon.Add(restart))
			}
			var got []string
			for _, after := range []time.Duration{130 * s, 165 * s, 200 * s, 235 * s} { // the last one is after every grace
				got = append(got, r.lines(r.see(noon.Add(after), "shop", []checks.Finding{f}))...)
			}
			expect.Equal(t, "notifications", tt.want, got)
		})
	}
}
