package checks_test

import (
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// said is a round in which the balancer itself said something of node2.
func said(r *round, kind probes.EvidenceKind, state probes.ServerState, silent string) {
	o := probes.EvidenceObservation{Kind: kind, Source: "its own word", Silent: silent}
	if state != "" {
		o.Servers = []probes.ServerEvidence{{Server: r.Cluster.Nodes[1].ServerName(), State: state, Detail: "as it said"}}
	}
	r.Evidence = append(r.Evidence, o)
}

// unlabelled takes away every way to tell who answered.
func unlabelled(r *round) {
	for w := range r.Walks {
		r.Walks[w].Expected = ""
		for s := range r.Walks[w].Steps {
			r.Walks[w].Steps[s].Label = ""
		}
	}
}

func TestTheBalancersOwnWord(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*round)
		want   checks.Answer // node2 in rotation
		out    bool          // node_ejected is found
	}{
		{"it says down, and nobody else can tell", func(r *round) {
			unlabelled(r)
			said(r, probes.EvidenceNginxErrorLog, probes.ServerDown, "")
		}, checks.No, true},
		{"maintenance and draining are out, too", func(r *round) {
			unlabelled(r)
			said(r, probes.EvidenceHAProxyStats, probes.ServerDraining, "")
		}, checks.No, true},
		{"it says down, and clients were answered: it is wrong, or late", func(r *round) {
			said(r, probes.EvidenceHAProxyStats, probes.ServerDown, "")
		}, checks.Yes, false},
		{"silence says nothing", func(r *round) {
			unlabelled(r)
			said(r, probes.EvidenceNginxErrorLog, "", "")
		}, checks.Unknown, false},
		{"it speaks of strangers", func(r *round) {
			unlabelled(r)
			said(r, probes.EvidenceHAProxyStats, probes.ServerDown, "")
			r.Evidence[0].Servers[0].Server = "10.9.9.9:1"
		}, checks.Unknown, false},
		{"it does not know", func(r *round) {
			unlabelled(r)
			said(r, probes.EvidenceCaddyAdmin, probes.ServerUnknown, "")
		}, checks.Unknown, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bent(tc.change)()
			report := checks.Judge(r.Round)
			if got := report.Nodes[1].InRotation; got != tc.want {
				t.Errorf("in rotation: got %s (%s), want %s", got, report.Nodes[1].Rotation, tc.want)
			}
			out := false
			for _, f := range report.Findings {
				out = out || (f.Code == checks.NodeEjected && f.Node == "node2")
			}
			if out != tc.out {
				t.Errorf("node_ejected: got %v, want %v", out, tc.out)
			}
		})
	}
}

// TestUnreadEvidence: a source that cannot be read is a blind spot, and no more.
func TestUnreadEvidence(t *testing.T) {
	r := bent(func(r *round) {
		r.Evidence = []probes.EvidenceObservation{{Kind: probes.EvidenceHAProxyStats, Source: "haproxy stats", Error: "HTTP 401"}}
	})()
	report := checks.Judge(r.Round)
	if report.Verdict != checks.Healthy || len(report.Findings) != 1 || report.Findings[0].Code != checks.BlindSpot {
		t.Fatalf("got %s with %q, want healthy with a blind spot", report.Verdict, tellAll(report))
	}
	if !strings.Contains(report.Findings[0].Remedy, "evidence.haproxy_stats") {
		t.Errorf("got remedy %q, want one that names the key", report.Findings[0].Remedy)
	}
}

// TestTimeToEjection: the budget of document 003's configuration, which it
// takes for ten minutes at least.
func TestTimeToEjection(t *testing.T) {
	for _, tc := range []struct {
		maxFails, workers int
		rate              float64
		latency           time.Duration
		want              time.Duration
	}{
		{30, 1, 20, 0, 1450 * time.Millisecond},
		{30, 1, 1, 0, 29 * time.Second},
		{30, 4, 1, 0, 116 * time.Second},
		{1, 4, 1, 5 * time.Second, 5 * time.Second},
	} {
		if got := checks.TimeToEjection(tc.maxFails, tc.workers, tc.rate, tc.latency); got != tc.want {
			t.Errorf("max_fails=%d, %d workers, %v/s: got %s, want %s", tc.maxFails, tc.workers, tc.rate, got, tc.want)
		}
	}
}
