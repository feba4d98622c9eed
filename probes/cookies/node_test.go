package cookies

import (
	"testing"

	"stickwatch/probes"
)

func TestNode(t *testing.T) {
	const node1, node2 = "05ef642f508b1e5b76612ddbd5f89a4c", "MTAuMC4wLjI6ODA4MA=="
	tests := map[string]struct {
		cookies map[string]string
		opts    Options
		node    string
		kind    Kind // "": nothing is told
	}{
		"none":                        {},
		"none that tells":             {cookies: map[string]string{"theme": "dark"}},
		"an address before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "route": node1}, node: "node1", kind: KindNode},
		"a balancer before a route":   {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "SERVERID": "a"}, node: "node1", kind: KindNode},
		"a route before a name":       {cookies: map[string]string{"app": "node1", "JSESSIONID": "0123.tomcat2"}, node: "node2", kind: KindNode},
		"a node before an opaque one": {cookies: map[string]string{"ARRAffinity": "5d41", "JSESSIONID": "0123.tomcat2"}, node: "node2", kind: KindNode},
		"opaque before rotating":      {cookies: map[string]string{"AWSALB": "5d41", "ARRAffinity": "5d41"}, kind: KindStable},
		"rotating before none":        {cookies: map[string]string{"AWSALB": "5d41", "PHPSESSID": "5d41"}, kind: KindRotating},
		"none but a session":          {cookies: map[string]string{"PHPSESSID": "5d41"}, kind: KindNone},
		"two that agree":              {cookies: map[string]string{"JSESSIONID": "0123.tomcat2", "ROUTEID": ".tomcat2"}, node: "node2", kind: KindNode},
		"two that do not":             {cookies: map[string]string{"x": node1, "y": node2}},
		"two weak and a strong":       {cookies: map[string]string{"a": "node1", "b": "node2", "route": node1}, node: "node1", kind: KindNode},
		"a strong and two weak":       {cookies: map[string]string{"a": node1, "b": "node1", "c": "node2"}, node: "node1", kind: KindNode},
		"the configured one":          {cookies: map[string]string{"x": node1, "y": node2}, opts: Options{Cookie: "y"}, node: "node2", kind: KindNode},
		"not the configured one":      {cookies: map[string]string{"x": node1}, opts: Options{Cookie: "y"}},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			got, ok := Node(test.cookies, cluster, test.opts)
			if ok != (test.kind != "") || got.Kind != test.kind || got.Node != test.node {
				t.Errorf("Node(%q) = %+v, %t, want node %q of kind %q", test.cookies, got, ok, test.node, test.kind)
			}
			label, labelled := Extractor(cluster, test.opts).Extract(probes.Document{Cookies: test.cookies})
			if label != test.node || labelled != (test.kind == KindNode) {
				t.Errorf("the extractor says %q, %t, want %q", label, labelled, test.node)
			}
		})
	}
}
