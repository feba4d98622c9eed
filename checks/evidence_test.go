package checks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// recorded adds a record of the balancer about node2.
func recorded(r *round, kind probes.EvidenceKind, state probes.ServerState, silent string) {
	o := probes.EvidenceObservation{Kind: kind, Source: "its own word", NoAbsence: silent}
	if state != "" {
		o.Servers = []probes.ServerEvidence{{Server: r.Cluster.Nodes[1].ServerName(), State: state, Detail: "as it said"}}
	}
	r.Evidence = append(r.Evidence, o)
}

// unlabelled removes every label from the answers.
func unlabelled(r *round) {
	for w := range r.Traces {
		r.Traces[w].TargetNode = ""
		for s := range r.Traces[w].Steps {
			r.Traces[w].Steps[s].Label = ""
		}
	}
}

func TestBalancerEvidence(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*round)
		want   checks.Tristate // whether node2 is in rotation
		out    bool            // whether node_ejected is found
	}{
		{"it says down, and nothing else shows it", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceNginxErrorLog, probes.ServerDown, "")
		}, checks.No, true},
		{"maintenance and draining are out, too", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerDraining, "")
		}, checks.No, true},
		{"it says down, and clients were answered: it is wrong, or late", func(r *round) {
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerDown, "")
		}, checks.Yes, false},
		{"silence says nothing", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceNginxErrorLog, "", "")
		}, checks.Unknown, false},
		{"it names unlisted servers", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerDown, "")
			r.Evidence[0].Servers[0].Server = "10.9.9.9:1"
		}, checks.Unknown, false},
		{"the hash says it is out, and its statistics agree", func(r *round) {
			*r = *hashed(3, 1)
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerMaintenance, "")
		}, checks.No, true},
		{"the hash says it is out, and its statistics that it is not", func(r *round) {
			*r = *hashed(3, 1)
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerUp, "")
		}, checks.Unknown, false},
		{"new clients miss it, and its statistics say that it gets them", func(r *round) {
			*r = *missing(36)()
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerUp, "")
		}, checks.Unknown, false},
		{"new clients miss it, and its error log has no ejection: it is marked down", func(r *round) {
			*r = *missing(36)()
			recorded(r, probes.EvidenceNginxErrorLog, probes.ServerUp, "")
		}, checks.No, true},
		{"two sources of its own contradict each other", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceApacheStatus, probes.ServerDown, "")
			recorded(r, probes.EvidenceApacheBalancerManager, probes.ServerUp, "")
		}, checks.Unknown, false},
		{"httpd asks it by AJP, at its host", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceApacheStatus, probes.ServerDown, "")
			r.Evidence[0].Servers[0].Server, r.Evidence[0].Servers[0].Address, r.Evidence[0].Servers[0].Scheme = "10.0.0.2:8009", "10.0.0.2:8009", "ajp"
		}, checks.No, true},
		{"another port at its host is another's", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceApacheStatus, probes.ServerDown, "")
			r.Evidence[0].Servers[0].Server, r.Evidence[0].Servers[0].Address = "10.0.0.2:8009", "10.0.0.2:8009"
		}, checks.Unknown, false},
		{"two are asked by AJP at its host", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceApacheStatus, probes.ServerDown, "")
			s := &r.Evidence[0].Servers[0]
			s.Server, s.Address, s.Scheme = "10.0.0.2:8009", "10.0.0.2:8009", "ajp"
			r.Evidence[0].Servers = append(r.Evidence[0].Servers, probes.ServerEvidence{Server: "10.0.0.2:8010", Address: "10.0.0.2:8010", Scheme: "ajp"})
		}, checks.Unknown, false},
		{"Caddy remembers as many failures as it lets pass", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceCaddyAdmin, probes.ServerUnknown, "")
			r.Evidence[0].Servers[0].Fails = 1
		}, checks.No, true},
		{"Caddy remembers fewer", func(r *round) {
			unlabelled(r)
			r.Cluster.Balancer.MaxFails = 2
			recorded(r, probes.EvidenceCaddyAdmin, probes.ServerUnknown, "")
			r.Evidence[0].Servers[0].Fails = 1
		}, checks.Unknown, false},
		{"it does not know", func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceCaddyAdmin, probes.ServerUnknown, "")
		}, checks.Unknown, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := changed(tc.change)()
			report := checks.Judge(r.Round)
			if got := report.Nodes[1].InRotation; got != tc.want {
				t.Errorf("in rotation: got %s (%s), want %s", got, report.Nodes[1].Rotation, tc.want)
			}
			out := false
			for _, f := range report.Findings {
				out = out || (f.Code == checks.NodeEjected && f.Node == "node2")
			}
			expect.Equal(t, "node_ejected", tc.out, out)
		})
	}
}

// TestUnreadEvidence tests that a source that cannot be read is a blind spot and
// nothing else.
func TestUnreadEvidence(t *testing.T) {
	r := changed(func(r *round) {
		r.Evidence = []probes.EvidenceObservation{{Kind: probes.EvidenceHAProxyStats, Source: "haproxy stats", Error: "HTTP 401"}}
	})()
	report := checks.Judge(r.Round)
	if report.Verdict != checks.Healthy || len(report.Findings) != 1 || report.Findings[0].Code != checks.BlindSpot {
		t.Fatalf("got %s with %q, want healthy with a blind spot", report.Verdict, lines(report))
	}
	if !strings.Contains(report.Findings[0].Remedy.String(), "evidence.haproxy_stats") {
		t.Errorf("got remedy %q, want one that names the key", report.Findings[0].Remedy)
	}
}

// TestTimeToEjection tests a configuration that its documentation expects to eject
// after ten minutes at least.
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

// TestEvidenceOfEjection tests that an ejection lists all evidence, and why a source is silent.
func TestEvidenceOfEjection(t *testing.T) {
	silent := "no line below the level error was seen"
	for _, tc := range []struct {
		name  string
		round func() *round
		want  []string
	}{
		{"the hash and the balancer", from(func() *round { return hashed(3, 1) }, func(r *round) {
			recorded(r, probes.EvidenceNginxErrorLog, probes.ServerDown, "")
		}), []string{
			"by the hash: a client that ip_hash sends to it was answered 22 times by the node that is next without it",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
			"by the balancer's evidence: its own word says 10.0.0.2:8080 is down: as it said",
		}},
		{"new clients and the balancer", from(missing(36), func(r *round) {
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerDraining, "")
		}), []string{
			"by new clients: none of 36 new clients met it; by chance that happens once in 2e+06 rounds",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
			"by the balancer's evidence: its own word says 10.0.0.2:8080 is draining: as it said",
		}},
		{"the balancer alone", changed(func(r *round) {
			unlabelled(r)
			recorded(r, probes.EvidenceHAProxyStats, probes.ServerMaintenance, "")
		}), []string{
			"by the balancer's evidence: its own word says 10.0.0.2:8080 is maintenance: as it said",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
		}},
		{"the hash, and a log that says nothing about it", from(func() *round { return hashed(3, 1) }, func(r *round) {
			recorded(r, probes.EvidenceNginxErrorLog, "", silent)
		}), []string{
			"by the hash: a client that ip_hash sends to it was answered 22 times by the node that is next without it",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
			"its own word: " + silent,
		}},
		{"new clients, and a log without an ejection", from(missing(36), func(r *round) {
			recorded(r, probes.EvidenceNginxErrorLog, probes.ServerUp, "")
		}), []string{
			"by new clients: none of 36 new clients met it; by chance that happens once in 2e+06 rounds",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
			"by the balancer's evidence: its own word shows no ejection of 10.0.0.2:8080 now",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := checks.Judge(tc.round().Round)
			at := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.NodeEjected })
			if at < 0 {
				t.Fatalf("got %q, want an ejection", lines(report))
			}
			if diff := cmp.Diff(tc.want, texts(report.Findings[at].Evidence)); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
		})
	}
}
