package monitor_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// broken is an extractor that panics at every response, as on hostile input.
type broken struct{}

func (broken) Extract(probes.Document) (string, bool) { panic("broken") }

// TestPanicsAreObservations: a panic in a probe is a failed observation of its target, and the
// round continues.
func TestPanicsAreObservations(t *testing.T) {
	const want = "stickwatch itself failed"
	fullCluster := func(f *config.Flags) { f.Profile = "strategy-collaboration" }
	for name, tc := range map[string]struct {
		breaks func(*monitor.Prober, *probes.Cluster)
		shown  func(*testing.T, watched, *monitor.Prober) string // an error of the round
	}{
		"extractor": {
			func(_ *monitor.Prober, c *probes.Cluster) { c.Session.Node = broken{} },
			func(t *testing.T, w watched, p *monitor.Prober) string {
				r := p.Round(t.Context(), w.config)
				return r.Traces[0].Steps[0].Error
			},
		},
		"dial": {
			func(_ *monitor.Prober, c *probes.Cluster) {
				c.Dial = func(context.Context, string, string) (net.Conn, error) { panic("broken") }
			},
			func(t *testing.T, w watched, p *monitor.Prober) string {
				return p.Round(t.Context(), w.config).Nodes[0].Primary.Error
			},
		},
		"evidence": {
			func(_ *monitor.Prober, c *probes.Cluster) {
				c.Balancer.Evidence.CaddyAdmin = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
				c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr == "127.0.0.1:1" {
						panic("broken")
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
			},
			func(t *testing.T, w watched, p *monitor.Prober) string {
				return p.Round(t.Context(), w.config).Evidence[0].Error
			},
		},
		"dependency": {
			func(p *monitor.Prober, c *probes.Cluster) {
				c.Dependencies = []probes.Dependency{{Name: "db", URL: &url.URL{Scheme: "db", Host: "db.test"}}}
				p.Pingers = map[string]probes.Pinger{"db": func(context.Context, *url.URL) error { panic("broken") }}
			},
			func(t *testing.T, w watched, p *monitor.Prober) string {
				return p.Round(t.Context(), w.config).Dependencies[0].Error
			},
		},
		"handshake": {
			func(p *monitor.Prober, _ *probes.Cluster) {
				p.Handshake = func(context.Context, *probes.Client, probes.HandshakeRequest) probes.HandshakeObservation {
					panic("broken")
				}
			},
			func(t *testing.T, w watched, p *monitor.Prober) string {
				return p.Round(t.Context(), w.config).Handshakes[0].Error
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, demo.Config{}, "strategy-collaboration", fullCluster)
			p := &monitor.Prober{}
			tc.breaks(p, w.config)
			if got := tc.shown(t, w, p); !strings.Contains(got, want) {
				t.Errorf("got the error %q, want %q in it", got, want)
			}
		})
	}
}

// TestPanicEndsRound: a panic outside of an observation reaches the caller of the round after
// all parallel work has ended.
func TestPanicEndsRound(t *testing.T) {
	w := start(t, demo.Config{}, "generic", nil)
	for _, stage := range []string{"nodes", "clients", "follow-ups"} {
		p := &monitor.Prober{Progress: func(p monitor.Progress) {
			if p.Stage == stage {
				panic("broken")
			}
		}}
		if err := panics.Catch(panics.Job, func() { p.Round(t.Context(), w.config) }); err == nil {
			t.Errorf("%s: got no error", stage)
		}
	}
}
