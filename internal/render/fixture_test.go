package render

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// testTime is when every fixture was taken.
var testTime = time.Date(2026, 3, 14, 12, 0, 0, 250e6, time.UTC)

// A report is a report with the configuration of its cluster.
type report struct {
	checks.Report
	cluster *probes.Cluster
}

// healthyReport returns a report without findings on a cluster of nodes.
func healthyReport(name string, ids ...string) *report {
	p := &report{
		Report: checks.Report{Cluster: name, Started: testTime, Duration: 812 * time.Millisecond, Verdict: checks.Healthy},
		cluster: &probes.Cluster{
			Name:     name,
			Balancer: probes.Balancer{URLs: []*url.URL{must.URL("http://10.0.0.9:8088")}, Method: probes.MethodIPHash},
			Pages: []probes.Page{
				{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}},
				{Path: "/app_b/", Want: probes.StatusRange{From: 200, To: 399}},
			},
		},
	}
	p.Balancers = []probes.BalancerObservation{{
		URL:     "http://10.0.0.9:8088",
		Address: netip.MustParseAddrPort("10.0.0.9:8088"),
		Primary: answered("/status", 200, 3100*time.Microsecond),
		Pages:   []probes.Exchange{answered("/app_a/", 200, 0), answered("/app_b/", 302, 0)},
	}}
	p.Session = checks.SessionReport{
		Policy: probes.PolicySticky, Sticky: checks.Yes, Shared: checks.Unknown, Confidence: 0.99995, NewClients: 25,
	}
	for i, id := range ids {
		p.addNode(i, id)
		p.addCanary(fmt.Sprintf("198.18.%d.1", i), strings.Repeat(id+" ", 8))
	}
	p.Dependencies = []checks.DependencyReport{{Name: "Redis Server", Up: checks.Yes}, {Name: "DB Service", Up: checks.Yes}}
	return p
}

func (r *report) addNode(i int, id string) {
	u := must.URL(fmt.Sprintf("http://10.0.0.%d:8080", i+1))
	r.cluster.Nodes = append(r.cluster.Nodes, probes.Node{ID: id, URL: u, Weight: 1})
	r.Nodes = append(r.Nodes, checks.NodeReport{
		NodeObservation: &probes.NodeObservation{
			Node:    id,
			Primary: answered("/status", 200, time.Duration(1200+150*i)*time.Microsecond),
			Status:  &probes.StatusReport{State: "running", Version: "11.4.1"},
			Pages:   []probes.Exchange{answered("/app_a/", 200, 0), answered("/app_b/", 302, 0)},
			Version: "11.4.1",
			Clock:   probes.ClockOffset{Min: -10 * time.Millisecond, Max: time.Duration(20+i) * time.Millisecond, Samples: 4},
		},
		Up:         true,
		InRotation: checks.Yes,
	})
}

// addCanary adds a canary with the nodes that answered it: "node1 node1 node2". A word
// "node2/b" is an answer with a new session, "!502" an error.
func (r *report) addCanary(client, answers string) {
	c := checks.CanaryTrace{Client: client, Balancer: "10.0.0.9:8088"}
	session := client
	for i, word := range strings.Fields(answers) {
		step := checks.CanaryStep{At: testTime.Add(time.Duration(i) * 50 * time.Millisecond), Kind: probes.StepFollow, Status: 200}
		if i == 0 {
			step.Kind = probes.StepFirst
		}
		id, other, fresh := strings.Cut(word, "/")
		if fresh {
			session = client + other
		}
		if id == "!502" {
			step.Status, step.Error = 502, "bad gateway"
		} else {
			step.Node, step.Session = id, probes.FingerprintOf(session)
		}
		c.Steps = append(c.Steps, step)
	}
	c.Pinned = c.Steps[0].Node
	r.Session.Canaries = append(r.Session.Canaries, c)
}

func (r *report) find(verdict checks.Verdict, findings ...checks.Finding) *report {
	r.Verdict = verdict
	r.Findings = append(r.Findings, findings...)
	return r
}

// shown returns reports as results, with the options that name their clusters.
func shown(reports ...*report) (Results, Options) {
	r := Results{Started: testTime, Duration: 950 * time.Millisecond}
	var opts Options
	for _, p := range reports {
		r.Clusters = append(r.Clusters, p.Report)
		opts.Clusters = append(opts.Clusters, p.cluster)
	}
	return r, opts
}

func answered(path string, status int, took time.Duration) probes.Exchange {
	return probes.Exchange{At: testTime, Path: path, Status: status, Timing: probes.Timing{Total: took}}
}

func failed(path string, failure probes.Failure, why string) probes.Exchange {
	return probes.Exchange{At: testTime, Path: path, Failure: failure, Error: why}
}

// reports are the fixtures of the golden files, by the name of the file.
var reports = map[string]func() []*report{
	"healthy":      func() []*report { return []*report{healthyReport("shop", "node1", "node2", "node3")} },
	"redis_down":   func() []*report { return []*report{redisDown()} },
	"drift":        func() []*report { return []*report{drift()} },
	"ejected":      func() []*report { return []*report{ejected()} },
	"chinese":      func() []*report { return []*report{chinese()} },
	"hostile":      func() []*report { return []*report{hostile()} },
	"inconclusive": func() []*report { return []*report{inconclusive()} },
	"several":      func() []*report { return []*report{healthyReport("blog", "a", "b"), ejected()} },
	"nothing":      func() []*report { return nil },
}

func redisDown() *report {
	p := healthyReport("collab", "node1", "node2", "node3")
	down := checks.Finding{
		Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis Server",
		Nodes:   []string{"node1", "node2", "node3"},
		Summary: checks.Quote("Redis Server does not work: the probe fails, and node1, node2 and node3 report it unavailable."),
		Remedy:  checks.Quote("Start Redis on 10.0.0.5 and look why it stopped (journalctl -u redis). The nodes leave the paused state by themselves."),
		Evidence: []checks.Message{
			checks.Quote("12:00:00.250 redis://10.0.0.5:6379: dial tcp 10.0.0.5:6379: connect: connection refused"),
			checks.Quote("12:00:00.251 node1 /status: The following dependent services are unavailable: Redis Server"),
			checks.Quote("12:00:00.252 node2 /status: The following dependent services are unavailable: Redis Server"),
			checks.Quote("12:00:00.252 node3 /status: The following dependent services are unavailable: Redis Server"),
		},
	}
	p.find(checks.Failing, down)
	p.Dependencies[0] = checks.DependencyReport{
		Name: "Redis Server", Up: checks.No, ReportedBy: down.Nodes, Error: "dial tcp 10.0.0.5:6379: connect: connection refused",
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.Status = &probes.StatusReport{State: "paused", Reason: "The following dependent services are unavailable: Redis Server"}
		p.Findings = append(p.Findings, checks.Finding{
			Code: checks.NodePaused, Severity: checks.Critical, Node: n.Node, Nodes: []string{n.Node},
			Summary:     checks.Quote(n.Node + " says that it is paused."),
			Remedy:      checks.Quote("Restore what its reason names."),
			Evidence:    []checks.Message{checks.Quote("/status: state paused, reason " + n.Status.Reason)},
			ExplainedBy: down.Key(),
		})
	}
	return p
}

func drift() *report {
	p := healthyReport("shop", "node1", "node2", "node3")
	p.Session.Canaries = nil
	p.addCanary("198.18.0.1", "node1 node1 node1 node2/b node2 node1/c node1 node1")
	p.addCanary("198.18.1.1", "node2 node2 node2 node2 node2 node2 node2 node2")
	p.addCanary("198.18.2.1", "node3 !502 !502 node3 node3 node1 node1 node1")
	p.Session.Sticky, p.Session.Confidence = checks.No, 0
	p.Session.Reason = checks.Quote("198.18.0.1 went from node1 to node2 while node1 was healthy and in rotation")
	return p.find(checks.Failing,
		checks.Finding{
			Code: checks.SessionDrift, Severity: checks.Critical, Node: "node1", Nodes: []string{"node1", "node2"},
			Summary:  checks.Quote("The same client with the same cookie is answered by node2 while its own node1 is healthy and in rotation."),
			Remedy:   checks.Quote("Check that the upstream still has ip_hash, and that nothing in front of nginx changes the address it sees."),
			Evidence: []checks.Message{checks.Quote("198.18.0.1: step 3 node1, step 4 node2 (12:00:00.400)"), checks.Quote("198.18.0.1: step 5 node2, step 6 node1 (12:00:00.500)")},
			Affected: checks.Affected{Share: 1.0 / 3, Of: 3},
		},
		checks.Finding{
			Code: checks.SessionLost, Severity: checks.Critical, Node: "node1", Nodes: []string{"node1"},
			Summary:     checks.Quote("A session of node1 was gone after the move."),
			Remedy:      checks.Quote("Sessions under policy sticky live on one node: stop the drift."),
			Evidence:    []checks.Message{checks.Quote("198.18.0.1: s:3f9a12c4 became s:77aa01fe")},
			ExplainedBy: "session_drift",
			Affected:    checks.Affected{Share: 1.0 / 3, Of: 3},
		})
}

func ejected() *report {
	p := healthyReport("portal", "node1", "node2", "node3")
	p.cluster.Balancer.Method = probes.MethodRoundRobin
	p.Nodes[2].InRotation = checks.No
	p.Nodes[2].Rotation = checks.Quote("none of 37 fresh clients came to it")
	p.Nodes[1].Version = "11.4.0"
	p.Session.Canaries = p.Session.Canaries[:2]
	return p.find(checks.Degraded,
		checks.Finding{
			Code: checks.NodeEjected, Severity: checks.Warning, Node: "node3", Nodes: []string{"node3"},
			Summary:  checks.Quote("node3 answers when asked directly, and the balancer sends it nothing."),
			Remedy:   checks.Quote("nginx readmits it by itself after fail_timeout; if it does not, look for `down` in its server line. Do not reload."),
			Evidence: []checks.Message{checks.Quote("37 fresh clients: node1 19, node2 18, node3 0"), checks.Quote("node3 /status directly: 200 in 1.5 ms")},
			Affected: checks.Affected{Of: 37},
		},
		checks.Finding{
			Code: checks.VersionSkew, Severity: checks.Warning, Nodes: []string{"node1", "node2", "node3"},
			Summary:  checks.Quote("Nodes run different versions."),
			Remedy:   checks.Quote("Finish the deployment."),
			Evidence: []checks.Message{checks.Quote("11.4.1: node1, node3"), checks.Quote("11.4.0: node2")},
		},
		checks.Finding{
			Code: checks.BlindSpot, Severity: checks.Info,
			Summary:  checks.Quote("Ejections shorter than the interval are not seen."),
			Remedy:   checks.Quote("Probe at least every 10 s, which is the balancer's fail_timeout."),
			Evidence: []checks.Message{checks.Quote("interval 15 s, fail_timeout 10 s")},
		})
}

func chinese() *report {
	p := healthyReport("云桥", "应用服务器一", "应用服务器二", "备用")
	p.Nodes[1].Up = false
	p.Nodes[1].Primary = failed("/status", probes.FailureRefused, "connection refused")
	p.Nodes[1].Status, p.Nodes[1].Pages, p.Nodes[1].Clock = nil, nil, probes.ClockOffset{}
	p.Dependencies = append(p.Dependencies, checks.DependencyReport{Name: "主数据库", Up: checks.Unknown, ReportedBy: []string{"备用"}})
	return p.find(checks.Degraded, checks.Finding{
		Code: checks.NodeDown, Severity: checks.Warning, Node: "应用服务器二", Nodes: []string{"应用服务器二"},
		Summary:  checks.Quote("应用服务器二 does not answer when asked directly: 连接被拒绝，请检查该节点上的应用进程是否已经启动，端口是否正确，防火墙是否放行。"),
		Remedy:   checks.Quote("Start the application there."),
		Evidence: []checks.Message{checks.Quote("http://10.0.0.2:8080/status: connection refused")},
	})
}

// attack is hostile text of a target: commands for the terminal, a new line that forges
// a finding, bidirectional characters, markup, and 10 KiB of text.
var attack = "\x1b[2J\x1b]0;owned\a\n✓ all is well\r\u202egnp.exe\u2066\u200b <script>alert(1)</script> `x` | **y** @all \xff " + strings.Repeat("A", 10<<10)

func hostile() *report {
	p := healthyReport("shop", "node1", "node2")
	p.Nodes[0].Status = &probes.StatusReport{State: attack, Reason: attack}
	p.Nodes[0].Version = attack
	p.Nodes[1].Up = false
	p.Nodes[1].Primary = failed("/status", probes.FailureMalformed, attack)
	p.Balancers[0].Primary.Error = attack
	p.Balancers[0].Primary.Failure = probes.FailureMalformed
	p.Dependencies[0] = checks.DependencyReport{Name: attack, Up: checks.No, ReportedBy: []string{attack}, Error: attack}
	p.Session.Canaries[0].Steps[3].Node = `"` + attack + `"`
	p.Session.Canaries[0].Steps[5].Error = attack
	p.Session.Sticky, p.Session.Reason = checks.No, checks.Quote(attack)
	f := checks.Finding{
		Code: checks.PageFailing, Severity: checks.Warning, Node: "node2", Target: attack,
		Summary: checks.Quote(attack), Remedy: checks.Quote(attack), Evidence: []checks.Message{checks.Quote(attack), checks.Quote(""), checks.Quote(attack)},
		ExplainedBy: "page_failing/node1", // which is not at hand
	}
	p.Doubts = []checks.Message{checks.Quote(attack)}
	return p.find(checks.Degraded, f)
}

func inconclusive() *report {
	p := healthyReport("shop", "node1", "node2")
	p.Verdict = checks.Inconclusive
	p.Session = checks.SessionReport{
		Policy: probes.PolicyReplicated, Sticky: checks.Unknown, Shared: checks.Unknown,
		Reason: checks.Quote("answers do not tell which node gave them"),
	}
	p.addCanary("", "node1")
	for i := range p.Nodes {
		p.Nodes[i].InRotation, p.Nodes[i].Status = checks.Unknown, nil
	}
	p.Doubts = []checks.Message{
		checks.Quote("The balancer hashes client addresses and this prober has one: node2 cannot be reached through it."),
		checks.Quote("3 follow-ups are too few for 99.9 %: with 2 nodes it takes 10."),
	}
	return p
}

// manyCanaries returns a report with more canaries than a table shows.
func manyCanaries(n int) *report {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("app-%02d.eu-central.example", i+1)
	}
	p := healthyReport("crowd", ids...)
	p.Nodes[3].Clock = probes.ClockOffset{Min: 41 * time.Second, Max: 43 * time.Second, Samples: 2}
	return p
}
