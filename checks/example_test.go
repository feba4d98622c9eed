package checks_test

import (
	"fmt"
	"net/url"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// Two nodes were asked directly, and one refused the connection. The balancer was not
// asked, so that the round is incomplete.
func ExampleJudge() {
	cluster := &probes.Cluster{Name: "shop", Nodes: []probes.Node{
		{ID: "node1", URL: &url.URL{Scheme: "http", Host: "10.0.0.1"}},
		{ID: "node2", URL: &url.URL{Scheme: "http", Host: "10.0.0.2"}},
	}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	report := checks.Judge(checks.Round{
		Cluster: cluster, Started: at,
		Nodes: []probes.NodeObservation{
			{Node: "node1", Primary: probes.Exchange{At: at, Path: "/", Status: 200}},
			{Node: "node2", Primary: probes.Exchange{At: at, Path: "/", Failure: probes.FailureRefused, Error: "connection refused"}},
		},
	})
	fmt.Println(report.Verdict)
	for _, f := range report.Findings {
		fmt.Println(f.Severity, f.Key())
	}
	// Output:
	// inconclusive
	// warning node_down/node2
}
