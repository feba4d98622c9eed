package web

import (
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// testTime is the current time of the fixtures.
var testTime = time.Date(2026, 3, 14, 12, 3, 11, 0, time.UTC)

// A fakeCluster is a cluster with its history, which tests modify.
type fakeCluster struct {
	Snapshot
	moves       []checks.Move
	deployments []checks.Deployment
	incidents   []alerting.Incident
	outages     map[string][]checks.Span // by node
}

// healthyCluster returns a cluster of n nodes without any problem.
func healthyCluster(name string, n int) *fakeCluster {
	c := &fakeCluster{Snapshot: Snapshot{
		Cluster: &probes.Cluster{Name: name, Balancer: probes.Balancer{URLs: []*url.URL{must.URL("http://10.0.0.9:8088")}}},
		Report:  checks.Report{Cluster: name, Started: testTime.Add(-2 * time.Second), Duration: 812 * time.Millisecond, Verdict: checks.Healthy},
		Since:   testTime.Add(-49 * time.Hour),
	}, outages: map[string][]checks.Span{}}
	c.Report.Balancers = []probes.BalancerObservation{{
		URL: "http://10.0.0.9:8088", Address: netip.MustParseAddrPort("10.0.0.9:8088"),
		Primary: probes.Exchange{Status: 200, Timing: probes.Timing{Total: 3100 * time.Microsecond}},
	}}
	c.Report.Session = checks.SessionReport{Policy: probes.PolicySticky, Sticky: checks.Yes, Shared: checks.Unknown, Confidence: 0.99995, NewClients: 25}
	c.Report.Dependencies = []checks.DependencyReport{{Name: "Redis Server", Up: checks.Yes}, {Name: "DB Service", Up: checks.Yes}}
	for i := range n {
		c.addNode(fmt.Sprintf("node%d", i+1), i)
	}
	return c
}

func (fc *fakeCluster) addNode(id string, i int) {
	fc.Cluster.Nodes = append(fc.Cluster.Nodes, probes.Node{ID: id, URL: must.URL(fmt.Sprintf("http://10.0.0.%d:8080", i+1)), Weight: 1})
	fc.Report.Nodes = append(fc.Report.Nodes, checks.NodeReport{
		NodeObservation: &probes.NodeObservation{
			Node:    id,
			Primary: probes.Exchange{Status: 200, Timing: probes.Timing{Total: time.Duration(1200+150*i) * time.Microsecond}},
			Status:  &probes.StatusReport{State: "running", Version: "11.4.1"},
			Version: "11.4.1",
		},
		Up: true, InRotation: checks.Yes, Rotation: checks.Quote("it answered new clients"),
	})
	fc.addCanary(id, id, id, id)
}

// addCanary adds a session of a node with the nodes that answered its requests.
func (fc *fakeCluster) addCanary(pinned string, answers ...string) {
	c := checks.CanaryTrace{Pinned: pinned, Client: "198.18.0.1", Balancer: "10.0.0.9:8088"}
	for i, node := range answers {
		c.Steps = append(c.Steps, checks.CanaryStep{
			At: testTime.Add(time.Duration(i) * 50 * time.Millisecond), Kind: probes.StepFollow,
			Node: node, Session: probes.FingerprintOf(pinned), Status: 200,
		})
	}
	fc.Report.Session.Canaries = append(fc.Report.Session.Canaries, c)
}

func (fc *fakeCluster) node(id string) *checks.NodeReport {
	for i := range fc.Report.Nodes {
		if fc.Report.Nodes[i].Node == id {
			return &fc.Report.Nodes[i]
		}
	}
	panic("no node " + id)
}

// addFindings adds findings that are active since a time, and their incident if they have one.
func (fc *fakeCluster) addFindings(verdict checks.Verdict, since time.Time, findings ...checks.Finding) {
	fc.Report.Verdict, fc.Since = verdict, since
	incident := alerting.Incident{
		ID: fmt.Sprintf("%s-%s", since.Format("20060102T150405000"), fc.Cluster.Name), Cluster: fc.Cluster.Name, State: alerting.Firing,
		Severity: findings[0].Severity, Cause: findings[0], Started: since, Fired: since,
		Timeline: []alerting.Event{{At: since, Kind: alerting.EventOpened, Finding: findings[0].Key(), Text: findings[0].Summary.String(), Reason: alerting.ReasonNewCause}},
	}
	for i, f := range findings {
		if f.Severity.AtLeast(incident.Severity) {
			incident.Severity = f.Severity
		}
		at := since.Add(time.Duration(i) * 3 * time.Second)
		fc.Report.Findings = append(fc.Report.Findings, f)
		fc.ActiveFindings = append(fc.ActiveFindings, checks.ActiveFinding{Finding: f, Since: at, Last: testTime})
		incident.Findings = append(incident.Findings, alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f, Since: at, Last: testTime}})
		if i > 0 {
			incident.Timeline = append(incident.Timeline, alerting.Event{At: at, Kind: alerting.EventJoined, Finding: f.Key(), Text: f.Summary.String(), Reason: alerting.ReasonSameCause})
		}
	}
	if findings[0].Severity.AtLeast(checks.Warning) {
		fc.incidents = append(fc.incidents, incident)
	}
}

// redisDown is a cluster whose nodes are all paused because of one dependency.
func redisDown(name string) *fakeCluster {
	c := healthyCluster(name, 3)
	c.Report.Dependencies[0] = checks.DependencyReport{Name: "Redis Server", Up: checks.No, ReportedBy: []string{"node1", "node2", "node3"}, Error: "dial tcp 10.0.0.5:6379: connection refused"}
	findings := []checks.Finding{{
		Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis Server", Nodes: []string{"node1", "node2", "node3"},
		Summary:  checks.Quote("Redis Server is down; node1, node2 and node3 say so"),
		Remedy:   checks.Quote("Bring Redis Server back; the nodes resume by themselves."),
		Evidence: []checks.Message{checks.Quote("redis://10.0.0.5:6379: connection refused at 11:58:02"), checks.Quote(`node1 /status: "The following dependent services are unavailable: Redis Server"`)},
	}}
	for _, id := range []string{"node1", "node2", "node3"} {
		n := c.node(id)
		n.Status = &probes.StatusReport{State: "paused", Reason: "The following dependent services are unavailable: Redis Server", Version: "11.4.1"}
		findings = append(findings, checks.Finding{
			Code: checks.NodePaused, Severity: checks.Critical, Node: id, Nodes: []string{id}, ExplainedBy: findings[0].Key(),
			Summary: checks.Quote(id + " is paused"), Remedy: checks.Quote("Bring back what the reason names."), Evidence: []checks.Message{checks.Quote("/status: paused")},
		})
	}
	c.addFindings(checks.Failing, testTime.Add(-5*time.Minute), findings...)
	return c
}

// nodeDown is a cluster with a dead node that still receives clients, and whose sessions
// moved.
func nodeDown(name string, n int) *fakeCluster {
	c := healthyCluster(name, n)
	dead := c.node("node2")
	dead.Up, dead.Status, dead.Version = false, nil, ""
	dead.Primary = probes.Exchange{Failure: probes.FailureRefused, Error: "dial tcp 10.0.0.2:8080: connection refused"}
	dead.Rotation = checks.Quote("new clients were answered with 502 in its place")
	c.Report.Session.Canaries[1].Steps[2].Node = "node1"
	down := checks.Finding{
		Code: checks.NodeDown, Severity: checks.Warning, Node: "node2", Nodes: []string{"node2"},
		Summary: checks.Quote("node2 does not answer: connection refused"), Remedy: checks.Quote("Start the application there."),
		Evidence: []checks.Message{checks.Quote("http://10.0.0.2:8080/status: connection refused at 11:41:07")},
	}
	c.addFindings(checks.Failing, testTime.Add(-22*time.Minute), down, checks.Finding{
		Code: checks.NodeFailingInRotation, Severity: checks.Critical, Node: "node2", Nodes: []string{"node2"}, ExplainedBy: down.Key(),
		Summary: checks.Quote("node2 fails and the balancer still sends it requests: about 7 s left until nginx ejects it"), Remedy: checks.Quote("Take it out of the balancer."),
		Evidence: []checks.Message{checks.Quote("4 of 12 new clients got 502")}, Affected: checks.Affected{Share: 1.0 / 3, Of: 12},
	})
	c.outages["node2"] = []checks.Span{{From: testTime.Add(-22 * time.Minute), To: testTime}, {From: testTime.Add(-4 * time.Hour), To: testTime.Add(-225 * time.Minute)}}
	c.moves = []checks.Move{
		{At: testTime.Add(-22 * time.Minute), Cluster: name, From: "node2", To: "node1", Kept: false, Session: probes.FingerprintOf("b"), Cause: checks.Message{ID: checks.MsgMovedDown, Args: checks.Args{Node: "node2"}}},
		{At: testTime.Add(-225 * time.Minute), Cluster: name, From: "node3", To: "node2", Kept: true, Session: probes.FingerprintOf("a"), Cause: checks.Quote("readmitted")},
		{At: testTime.Add(-4 * time.Hour), Cluster: name, From: "node2", To: "node3", Kept: true, Session: probes.FingerprintOf("a"), Cause: checks.Message{ID: checks.MsgMovedDown, Args: checks.Args{Node: "node2"}}},
	}
	c.deployments = []checks.Deployment{{Cluster: name, Name: "11.4.1", Span: checks.Span{From: testTime.Add(-245 * time.Minute), To: testTime.Add(-220 * time.Minute)}}}
	c.incidents = append(c.incidents, resolved(name, testTime.Add(-4*time.Hour), down))
	return c
}

// ejected is a cluster with a warning: a node without clients.
func ejected(name string) *fakeCluster {
	c := healthyCluster(name, 2)
	c.node("node1").InRotation, c.node("node1").Rotation = checks.No, checks.Quote("27 new clients missed it, which happens by chance once in 100 days")
	c.addFindings(checks.Degraded, testTime.Add(-26*time.Hour), checks.Finding{
		Code: checks.NodeEjected, Severity: checks.Warning, Node: "node1", Nodes: []string{"node1"},
		Summary: checks.Quote("node1 is well when asked directly, and the balancer sends it nothing"), Remedy: checks.Quote("Wait fail_timeout, then look at the way from balancer to node."),
		Evidence: []checks.Message{checks.Quote("27 of 27 new clients were answered by node2")},
	})
	c.outages["node1"] = []checks.Span{{From: testTime.Add(-50 * time.Minute), To: testTime.Add(-48 * time.Minute)}}
	return c
}

// unprobed is a cluster before its first round.
func unprobed(name string) *fakeCluster {
	c := healthyCluster(name, 2)
	c.Report, c.Since = checks.Report{}, time.Time{}
	return c
}

// hostile is a cluster whose texts are all attacks.
func hostile(name string) *fakeCluster {
	c := healthyCluster(name, 2)
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\x1b[2J\u202e'`{{.}}" + string(make([]byte, 5000))
	n := c.node("node1")
	n.Status = &probes.StatusReport{State: evil, Reason: evil, Version: evil}
	n.Version, n.Rotation, n.Primary.Error = evil, checks.Quote(evil), evil
	c.Report.Dependencies[0] = checks.DependencyReport{Name: evil, Up: checks.No, Error: evil}
	c.moves = []checks.Move{{At: testTime.Add(-time.Minute), Cluster: name, From: evil, To: evil, Session: "s:00000000", Cause: checks.Quote(evil)}}
	c.addFindings(checks.Failing, testTime.Add(-time.Hour), checks.Finding{
		Code: checks.NodePaused, Severity: checks.Critical, Node: "node1", Nodes: []string{"node1"},
		Summary: checks.Quote(evil), Remedy: checks.Quote(evil), Evidence: []checks.Message{checks.Quote(evil), checks.Quote(evil)},
	})
	return c
}

func resolved(cluster string, at time.Time, f checks.Finding) alerting.Incident {
	return alerting.Incident{
		ID: at.Format("20060102T150405000") + "-" + cluster + "-over", Cluster: cluster, State: alerting.Resolved, Severity: f.Severity,
		Cause: f, Started: at, Fired: at, Ended: at.Add(15 * time.Minute),
		Findings: []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: f, Since: at, Last: at}, Ended: at.Add(15 * time.Minute)}},
		Timeline: []alerting.Event{
			{At: at, Kind: alerting.EventOpened, Text: f.Summary.String(), Reason: alerting.ReasonNewCause},
			{At: at.Add(16 * time.Minute), Kind: alerting.EventResolved, Text: "it is over", Reason: alerting.ReasonQuiet},
		},
	}
}
