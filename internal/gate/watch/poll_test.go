package watch

import (
	"net/url"
	"testing"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/internal/expect"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// TestMatchesEvidenceAsRounds checks that a watch matches the balancer's evidence as a round does: httpd's
// AJP members by their host, and Caddy's failures, which end when Caddy forgets them.
func TestMatchesEvidenceAsRounds(t *testing.T) {
	noon := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	const ajp, caddy, log = probes.EvidenceApacheStatus, probes.EvidenceCaddyAdmin, probes.EvidenceNginxErrorLog
	up, down, unknown := probes.ServerUp, probes.ServerDown, probes.ServerUnknown
	member := probes.ServerEvidence{Server: "10.0.0.1:8009", Address: "10.0.0.1:8009", Scheme: "ajp"}
	server := probes.ServerEvidence{Server: "10.0.0.1:8080", Address: "10.0.0.1:8080", State: unknown}
	for _, tt := range []struct {
		name         string
		kind         probes.EvidenceKind
		observations []probes.ServerEvidence // one per second
		want         []probes.ServerState
	}{
		{"httpd by AJP", ajp, []probes.ServerEvidence{with(member, up, 0), with(member, down, 0), with(member, up, 0)}, []probes.ServerState{up, down, up}},
		{"Caddy", caddy, []probes.ServerEvidence{with(server, unknown, 0), with(server, unknown, 1), with(server, unknown, 0)}, []probes.ServerState{unknown, down, unknown}},
		{"nginx", log, []probes.ServerEvidence{with(server, down, 1), with(server, up, 1)}, []probes.ServerState{down, unknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &probes.Cluster{
				Balancer: probes.Balancer{MaxFails: 1},
				Nodes:    []probes.Node{{ID: "node1", URL: &url.URL{Scheme: "http", Host: "10.0.0.1:8080"}}},
			}
			w := &Watch{cluster: c, record: gate.WatchRecord{BalancerStates: make(map[string][]gate.BalancerState)}}
			for i, s := range tt.observations {
				w.addEvidence(evidence.NewMatcher(c, nil), []probes.EvidenceObservation{{
					Kind: tt.kind, At: noon.Add(time.Duration(i) * time.Second), Servers: []probes.ServerEvidence{s},
				}})
			}
			var got []probes.ServerState
			for _, s := range w.record.BalancerStates["node1"] {
				got = append(got, s.State)
			}
			expect.Equal(t, "states", tt.want, got)
		})
	}
}

func with(s probes.ServerEvidence, state probes.ServerState, fails int) probes.ServerEvidence {
	s.State, s.Fails = state, fails
	return s
}
