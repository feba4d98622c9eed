package evidence_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// cluster returns two nodes, of which node2 reports the label "blue" and is named b
// in the balancer's configuration.
func cluster(maxFails int) (*probes.Cluster, []probes.NodeObservation) {
	c := &probes.Cluster{
		Balancer: probes.Balancer{MaxFails: maxFails},
		Nodes: []probes.Node{
			{ID: "node1", URL: &url.URL{Scheme: "http", Host: "10.0.0.1:8080"}},
			{ID: "node2", Label: "b", URL: &url.URL{Scheme: "http", Host: "Node2.example:8080"}},
		},
	}
	return c, []probes.NodeObservation{{Node: "node1"}, {Node: "node2", Label: "blue"}}
}

// TestMatches tests that a server is matched by any name of a node without regard to
// case, and an AJP member by its host if that has one member and one node.
func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server probes.ServerEvidence
		beside []probes.ServerEvidence // in the same source
		nodes  []probes.Node           // beside node1 and node2
		want   bool                    // it is node2
	}{
		{"by its address", probes.ServerEvidence{Address: "node2.example:8080"}, nil, nil, true},
		{"by its server name", probes.ServerEvidence{Server: "NODE2.example:8080"}, nil, nil, true},
		{"by its id", probes.ServerEvidence{Server: "node2"}, nil, nil, true},
		{"by its label in the configuration", probes.ServerEvidence{Server: "b"}, nil, nil, true},
		{"by what it calls itself", probes.ServerEvidence{Server: "Blue"}, nil, nil, true},
		{"another", probes.ServerEvidence{Server: "node1", Address: "10.0.0.1:8080"}, nil, nil, false},
		{"another port at its host", probes.ServerEvidence{Address: "node2.example:8009"}, nil, nil, false},
		{"without a name", probes.ServerEvidence{}, nil, nil, false},
		{"AJP at its host", probes.ServerEvidence{Address: "node2.example:8009", Scheme: "ajp"}, nil, nil, true},
		{
			"AJP, and another member at its host",
			probes.ServerEvidence{Address: "node2.example:8009", Scheme: "ajp"},
			[]probes.ServerEvidence{{Address: "node2.example:8010", Scheme: "ajp"}},
			nil, false,
		},
		{
			"AJP, and another node at its host",
			probes.ServerEvidence{Address: "node2.example:8009", Scheme: "ajp"},
			nil,
			[]probes.Node{{ID: "node3", URL: &url.URL{Host: "node2.example:8081"}}},
			false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, direct := cluster(1)
			c.Nodes = append(c.Nodes, tt.nodes...)
			o := probes.EvidenceObservation{Servers: append([]probes.ServerEvidence{tt.server}, tt.beside...)}
			if got := evidence.NewMatcher(c, direct).Matches(c.Nodes[1], o, tt.server); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	for _, tt := range []struct {
		name     string
		kind     probes.EvidenceKind
		server   probes.ServerEvidence
		maxFails int
		words    string
		out, in  bool
	}{
		{
			"HAProxy drains it", probes.EvidenceHAProxyStats,
			probes.ServerEvidence{State: probes.ServerDraining, Since: noon, Detail: "DRAIN"},
			1,
			"a source says node2 is draining since 2026-03-14 12:00:00: DRAIN", true, false,
		},
		{
			"httpd has it in", probes.EvidenceApacheStatus,
			probes.ServerEvidence{State: probes.ServerUp},
			1,
			"a source says node2 is up", false, true,
		},
		{
			"nginx ejected it", probes.EvidenceNginxErrorLog,
			probes.ServerEvidence{State: probes.ServerDown},
			1,
			"a source says node2 is down", true, false,
		},
		{
			"nginx ejects it no more, and may have it marked down", probes.EvidenceNginxErrorLog,
			probes.ServerEvidence{State: probes.ServerUp},
			1,
			"a source shows no ejection of node2 now", false, false,
		},
		{
			"Caddy remembers enough failures", probes.EvidenceCaddyAdmin,
			probes.ServerEvidence{State: probes.ServerUnknown, Fails: 2},
			2,
			"a source says node2 is down", true, false,
		},
		{
			"Caddy remembers fewer", probes.EvidenceCaddyAdmin,
			probes.ServerEvidence{State: probes.ServerUnknown, Fails: 1},
			2,
			"a source says node2 is unknown", false, false,
		},
		{
			"others count failures, and act on something else", probes.EvidenceApacheStatus,
			probes.ServerEvidence{State: probes.ServerUp, Fails: 9},
			1,
			"a source says node2 is up", false, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, direct := cluster(tt.maxFails)
			tt.server.Server = "node2"
			sources := []probes.EvidenceObservation{{Kind: tt.kind, Source: "a source", At: noon, Servers: []probes.ServerEvidence{tt.server}}}
			m := evidence.NewMatcher(c, direct)
			if got := m.Records(c.Nodes[0], sources); len(got) != 0 {
				t.Errorf("got %+v of node1, want nothing: it is not mentioned", got)
			}
			got := m.Records(c.Nodes[1], sources)
			if len(got) != 1 {
				t.Fatalf("got %d records, want 1", len(got))
			}
			if r := got[0]; r.Words != tt.words || r.Out() != tt.out || r.In() != tt.in || r.At != noon {
				t.Errorf("got %q, out %t, in %t, want %q, %t, %t", r.Words, r.Out(), r.In(), tt.words, tt.out, tt.in)
			}
		})
	}
}

func TestRotationOf(t *testing.T) {
	record := func(kind probes.EvidenceKind, state probes.ServerState, words string) evidence.Record {
		return evidence.Record{Kind: kind, State: state, Words: words}
	}
	up := record(probes.EvidenceHAProxyStats, probes.ServerUp, "up")
	drained := record(probes.EvidenceHAProxyStats, probes.ServerDraining, "drained")
	down := record(probes.EvidenceApacheStatus, probes.ServerDown, "down")
	unknown := record(probes.EvidenceCaddyAdmin, probes.ServerUnknown, "unknown")
	noEjection := record(probes.EvidenceNginxErrorLog, probes.ServerUp, "no ejection")
	for _, tt := range []struct {
		name    string
		records []evidence.Record
		want    evidence.Rotation
	}{
		{"no source reports it", nil, evidence.Rotation{State: probes.ServerUnknown}},
		{"it is in", []evidence.Record{up}, evidence.Rotation{State: probes.ServerUp, Words: "up"}},
		{"it is out", []evidence.Record{unknown, drained}, evidence.Rotation{State: probes.ServerDraining, Words: "drained"}},
		{"the first word", []evidence.Record{drained, down}, evidence.Rotation{State: probes.ServerDraining, Words: "drained"}},
		{"no ejection is no rotation", []evidence.Record{noEjection}, evidence.Rotation{State: probes.ServerUnknown}},
		{"no ejection does not refute", []evidence.Record{noEjection, drained}, evidence.Rotation{State: probes.ServerDraining, Words: "drained"}},
		{"two contradict each other", []evidence.Record{down, up}, evidence.Rotation{State: probes.ServerUnknown, Words: "down; but up"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, evidence.RotationOf(tt.records)); diff != "" {
				t.Errorf("rotation (-want +got):\n%s", diff)
			}
		})
	}
}
