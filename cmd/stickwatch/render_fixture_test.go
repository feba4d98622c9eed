package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// noon is when every fixture was taken.
var testTime = time.Date(2026, 3, 14, 12, 0, 0, 250e6, time.UTC)

// A report is a report with the configuration it was taken by.
type report struct {
	checks.Report
	cluster *probes.Cluster
}

// healthyReport returns a cluster of nodes with which nothing is wrong; tests
// break it.
func healthyReport(name string, ids ...string) *report {
	p := &report{
		Report: checks.Report{Cluster: name, Started: testTime, Duration: 812 * time.Millisecond, Verdict: checks.Healthy},
		cluster: &probes.Cluster{
			Name:     name,
			Balancer: probes.Balancer{URLs: []*url.URL{mustURL("http://10.0.0.9:8088")}, Method: probes.MethodIPHash},
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

func (p *report) addNode(i int, id string) {
	u := mustURL(fmt.Sprintf("http://10.0.0.%d:8080", i+1))
	p.cluster.Nodes = append(p.cluster.Nodes, probes.Node{ID: id, URL: u, Weight: 1})
	p.Nodes = append(p.Nodes, checks.NodeReport{
		NodeObservation: probes.NodeObservation{
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

// addCanary adds a canary by the nodes that answered it, "node1 node1 node2".
// A word "node2/b" is an answer with another session than the one before,
// "!502" an error.
func (p *report) addCanary(client, answers string) {
	c := checks.Canary{Client: client, Balancer: "10.0.0.9:8088"}
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
	p.Session.Canaries = append(p.Session.Canaries, c)
}

func (p *report) find(verdict checks.Verdict, findings ...checks.Finding) *report {
	p.Verdict = verdict
	p.Findings = append(p.Findings, findings...)
	return p
}

// shown is what probe renders of pictures.
func shown(reports ...*report) (results, renderOptions) {
	r := results{Started: testTime, Duration: 950 * time.Millisecond}
	var opts renderOptions
	for _, p := range reports {
		r.Clusters = append(r.Clusters, p.Report)
		opts.Clusters = append(opts.Clusters, p.cluster)
	}
	r.Verdict = worst(r.Clusters)
	return r, opts
}

func answered(path string, status int, took time.Duration) probes.Exchange {
	return probes.Exchange{At: testTime, Path: path, Status: status, Timing: probes.Timing{Total: took}}
}

func failed(path string, failure probes.Failure, why string) probes.Exchange {
	return probes.Exchange{At: testTime, Path: path, Failure: failure, Error: why}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}
