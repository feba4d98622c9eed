package checks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// relabel changes the label of a node, directly and through the balancer.
func (r *round) relabel(node, label string) {
	r.node(node).Label = label
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			if s := &r.Traces[w].Steps[i]; s.Label == node {
				s.Label = label
			}
		}
	}
}

var identitySpecs = []spec{
	{
		name:  "duplicate: two nodes say node2",
		round: changed(func(r *round) { r.relabel("node3", "node2") }),
		want:  []string{"warning duplicate_node_id/node2 [node2 node3]"},
	},
	{
		name: "duplicate: in other letters",
		round: changed(func(r *round) {
			r.relabel("node1", "tomcat")
			r.relabel("node3", "TOMCAT")
		}),
		want: []string{"warning duplicate_node_id/tomcat [node1 node3]"},
	},
	{
		name: "misidentified: two addresses are mixed up",
		round: changed(func(r *round) {
			r.node("node2").Label, r.node("node3").Label = "node3", "node2"
		}),
		want: []string{"warning node_misidentified/node2", "warning node_misidentified/node3"},
	},
	{
		name: "misidentified: by the name that the operator gave",
		round: changed(func(r *round) {
			r.Cluster.Nodes[1].Label = "blue"
			r.relabel("node3", "blue")
			r.relabel("node2", "green")
		}),
		want: []string{"warning node_misidentified/node3"},
	},
	{
		name: "neither: nodes call themselves as they please",
		round: changed(func(r *round) {
			r.relabel("node1", "tomcat7")
			r.relabel("node2", "17352")
			r.relabel("node3", "10.0.0.3:8080")
		}),
	},
	{
		name:  "unknown: an unlisted node answers",
		round: changed(func(r *round) { r.visit("node9") }),
		want:  []string{"warning unknown_node/node9"},
	},
	{
		name: "unknown: five that answered again and again",
		round: changed(func(r *round) {
			for _, label := range []string{"a", "b", "c", "d", "e", "a"} {
				r.visit(label)
			}
		}),
		want: []string{
			"warning unknown_node/a", "warning unknown_node/b", "warning unknown_node/c",
			"warning unknown_node/d", "warning unknown_node/e",
		},
	},
	{
		name: "unknown: more than that are one finding",
		round: changed(func(r *round) {
			for _, label := range []string{"a", "b", "c", "d", "e", "f", "a"} {
				r.visit(label)
			}
		}),
		want: []string{"warning unknown_node"},
	},
	{
		name: "unknown: and so are names that change with every answer",
		round: changed(func(r *round) {
			for _, label := range []string{"3f9a", "12c4", "77b0"} {
				r.visit(label)
			}
		}),
		want: []string{"warning unknown_node"},
	},
	{
		name: "unknown: by the header that a balancer adds, once every node was met",
		round: changed(func(r *round) {
			for i := range r.Nodes {
				r.relabel(r.Nodes[i].Node, r.Cluster.Nodes[i].URL.Host)
				r.Nodes[i].Label = ""
			}
			r.visit("10.0.0.9:8080")
		}),
		want: []string{"warning unknown_node/10.0.0.9:8080"},
	},
	{
		name: "not unknown: by such a header, while one node was not met",
		round: changed(func(r *round) {
			for i := range r.Nodes {
				r.relabel(r.Nodes[i].Node, r.Cluster.Nodes[i].URL.Host)
				r.Nodes[i].Label = ""
			}
			r.leave("10.0.0.3:8080")
			r.visit("10.0.0.9:8080")
		}),
	},
	{
		name: "not unknown: one node has not reported its label yet",
		round: changed(func(r *round) {
			r.node("node3").Label = ""
			r.leave("node3")
			r.visit("node9")
		}),
	},
	{
		name:  "not unknown: an error page may say anything",
		round: changed(func(r *round) { r.visit("node9").Steps[0].Status = 500 }),
		want:  []string{"critical page_failing/http://shop.example/cluster/test (192.0.2.10:80)"},
	},
}

// TestIdentity tests which node a label names.
func TestIdentity(t *testing.T) {
	c := cluster(3)
	c.Nodes[0].Label = "blue"
	c.Nodes[1].Server = "app2.internal:8080"
	c.Nodes[2].URL = must.URL("https://10.0.0.3")
	reporting := func(labels ...string) []probes.NodeObservation {
		var list []probes.NodeObservation
		for i, label := range labels {
			list = append(list, probes.NodeObservation{Node: c.Nodes[i].ID, Label: label})
		}
		return list
	}
	for _, tc := range []struct {
		name   string
		direct []probes.NodeObservation
		label  string
		want   string
		failed []string // tried before, without an answer
	}{
		{name: "as reported", direct: reporting("tomcat7"), label: "tomcat7", want: "node1"},
		{name: "in other letters", direct: reporting("Tomcat7"), label: " TOMCAT7 ", want: "node1"},
		{name: "by its id, while it reports nothing", label: "node2", want: "node2"},
		{name: "by its id, though it reports another label", direct: reporting("", "tomcat7"), label: "node2", want: "node2"},
		{name: "by its given name", label: "blue", want: "node1"},
		{name: "by its server line", label: "app2.internal:8080", want: "node2"},
		{name: "by its address", label: "10.0.0.2:8080", want: "node2"},
		{name: "by its address with the port that goes without saying", label: "10.0.0.3:443", want: "node3"},
		{name: "a reported label outweighs the name of another node", direct: reporting("", "blue"), label: "blue", want: "node2"},
		{name: "two report the same", direct: reporting("a", "a"), label: "a"},
		{name: "unknown", label: "node9"},
		{name: "no label", label: ""},
		{name: "a blank one is none", direct: reporting(" "), label: ""},
		{name: "the last of nginx's tries", label: "10.0.0.1:8080, app2.internal:8080", want: "node2", failed: []string{"node1"}},
		{name: "all tried", label: "10.0.0.1:8080, 10.0.0.2:8080, 10.0.0.3:443", want: "node3", failed: []string{"node1", "node2"}},
		{name: "the upstream after an internal redirect", label: "10.0.0.1:8080 : 10.0.0.2:8080", want: "node2"},
		{
			name: "a retry before the redirect", label: "10.0.0.3:443, 10.0.0.1:8080 : 10.0.0.2:8080",
			want: "node2", failed: []string{"node3"},
		},
		{name: "no live upstream", label: "10.0.0.1:8080, backend", failed: []string{"node1"}},
		{name: "a label with a comma of its own", direct: reporting("rack 1, blue"), label: "rack 1, blue", want: "node1"},
		{name: "a label with a space is no list", label: "server node2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			who := checks.Identify(c, tc.direct)
			if got := who.NodeOf(tc.label); got != tc.want {
				t.Errorf("Who(%q): got %q, want %q", tc.label, got, tc.want)
			}
			if diff := cmp.Diff(tc.failed, who.FailedOver(tc.label)); diff != "" {
				t.Errorf("FailedOver(%q) (-want +got):\n%s", tc.label, diff)
			}
		})
	}
}

// TestSharedAddress tests that the host does not identify one of two nodes on it.
func TestSharedAddress(t *testing.T) {
	c := cluster(2)
	c.Nodes[1].URL = c.Nodes[0].URL
	who := checks.Identify(c, nil)
	if got := who.NodeOf("10.0.0.1:8080"); got != "" || !who.Ambiguous("10.0.0.1:8080") {
		t.Errorf("got %q, ambiguous %v, want no node", got, who.Ambiguous("10.0.0.1:8080"))
	}
}
