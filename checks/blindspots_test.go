package checks_test

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// oneAddress returns a round behind a hash that sends our own address, the only one
// we have, to node1.
func oneAddress(change func(*probes.Balancer)) func() *round {
	return from(threeNodes, func(r *round) {
		r.Cluster.Balancer.Method = probes.MethodIPHash
		change(&r.Cluster.Balancer)
		r.visit(slices.Repeat([]string{"node1"}, 8)...)
	})
}

var blindSpotSpecs = []spec{
	{
		name: "one source address under ip_hash", round: oneAddress(func(*probes.Balancer) {}),
		want: []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name:  "one source address under hash $remote_addr",
		round: oneAddress(func(b *probes.Balancer) { b.Method, b.HashKey = probes.MethodHash, "$remote_addr" }),
		want:  []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name:  "what is hashed is not configured",
		round: oneAddress(func(b *probes.Balancer) { b.Method = probes.MethodHash }),
		want:  []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name:  "what is hashed cannot be chosen",
		round: oneAddress(func(b *probes.Balancer) { b.Method, b.HashKey = probes.MethodHash, "$request_uri" }),
		want:  []string{"info blind_spot/rotation [node2 node3]"},
	},
	{
		name:  "an unknown method, though clients' addresses could be chosen",
		round: oneAddress(func(b *probes.Balancer) { b.Method, b.ClientIPHeader = probes.MethodUnknown, "X-Client" }),
		want:  []string{"info blind_spot/rotation [node2 node3]"},
	},
	{name: "none: clients' addresses are chosen, and every node was met", round: func() *round { return hashed(3) }},
	{name: "none: chance shows every node in time", round: method(probes.MethodRoundRobin, missing(5))},
	{
		name:  "none: only one node serves",
		round: from(oneAddress(func(*probes.Balancer) {}), func(r *round) { r.down("node2", "node3") }),
		want:  []string{"warning node_down/node2", "warning node_down/node3"},
	},
	{
		name: "not of a backup and of a node that is down, which should get no clients",
		round: from(oneAddress(func(*probes.Balancer) {}), func(r *round) {
			r.Cluster.Nodes = append(r.Cluster.Nodes, probes.Node{ID: "node4", URL: must.URL("http://10.0.0.4:8080"), Backup: true})
			r.Nodes = append(r.Nodes, probes.NodeObservation{Node: "node4", Primary: page(testPage, 200)})
			r.down("node3")
		}),
		want: []string{"warning node_down/node3", "info blind_spot/rotation [node2]"},
	},
	{
		name:  "the interval is longer than an ejection",
		round: from(func() *round { return hashed(3) }, func(r *round) { r.Every = 15 * time.Second }),
		want:  []string{"info blind_spot/interval"},
	},
	{name: "none: the interval is shorter", round: from(func() *round { return hashed(3) }, func(r *round) { r.Every = 3 * time.Second })},
	{
		name: "none: the balancer's log has every ejection",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			r.Every, r.Cluster.Balancer.Evidence.NginxErrorLog = 15*time.Second, "/var/log/nginx/error.log"
		}),
	},
	{
		name: "none: so do its statistics",
		round: from(func() *round { return hashed(3) }, func(r *round) {
			r.Every, r.Cluster.Balancer.Evidence.HAProxyStats = 15*time.Second, must.URL("http://192.0.2.10:8404/;csv")
		}),
	},
	{
		name:  "none: the balancer is not of nginx's kind",
		round: changed(func(r *round) { r.Every = time.Minute }),
	},
	{
		name:  "addresses wait for their turn",
		round: from(healthy, func(r *round) { r.Balancers[0].Waiting = 8 }),
		want:  []string{"info blind_spot/addresses of " + lbURL},
	},
}

// TestAnotherPageDirectly: nodes that show clients the session's page, and stickwatch none, lack the name of
// the site or a header.
func TestAnotherPageDirectly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		redirect string
		nodes    int
		want     bool
	}{
		"misdirected":            {421, "", 3, true},
		"forbidden":              {403, "", 3, true},
		"led to https":           {301, "https://shop.example/", 3, true},
		"not modified":           {304, "", 3, false},
		"too many requests":      {429, "", 3, false},
		"an error":               {500, "", 3, false},
		"a fault of some nodes":  {403, "", 2, false},
		"as clients get it (ok)": {200, "", 0, false},
	} {
		r := healthy()
		for i := range c.nodes {
			ex := page(testPage, c.status)
			ex.Redirect = c.redirect
			r.Nodes[i].Session = &ex
		}
		got := slices.ContainsFunc(checks.Judge(r.Round).Findings, func(f checks.Finding) bool { return f.Key() == "blind_spot/direct" })
		expect.Equal(t, name, c.want, got)
	}
}
