package lab

import (
	"testing"

	"stickwatch/probes"
)

// TestClockBounds: servers send Date in whole seconds, and some update it only once a
// second. The reported bounds must contain the true offset, which is 0.
func TestClockBounds(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *Balancer{
		"nginx": func(t *testing.T) *Balancer {
			return Nginx(t, NginxConfig{Servers: nodes(t, "node1")}).Balancer
		},
		"httpd": func(t *testing.T) *Balancer {
			return Apache(t, ApacheConfig{Servers: nodes(t, "node1")}).Balancer
		},
		"Caddy": func(t *testing.T) *Balancer {
			return Caddy(t, CaddyConfig{Servers: nodes(t, "node1")}).Balancer
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := probes.Node{ID: name, URL: parse(t, start(t).URL())}
			c := &probes.Cluster{Nodes: []probes.Node{n}, Limits: probes.DefaultLimits, Status: &probes.Status{Path: "/"}}
			var all probes.ClockOffset
			for range 20 {
				all = all.Intersect(probes.Direct(t.Context(), c, n).Clock)
			}
			if all.Samples < 20 || all.Min > 0 || all.Max < 0 {
				t.Errorf("got a clock that is off by %s to %s (%d samples), want bounds of 0", all.Min, all.Max, all.Samples)
			}
		})
	}
}
