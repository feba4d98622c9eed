package checks_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// families are the specs by file.
var families = map[string][]spec{
	"balancers":    balancerSpecs,
	"nodes":        nodeSpecs,
	"dependencies": dependencySpecs,
	"pages":        pageSpecs,
	"sessions":     sessionSpecs,
	"sharing":      sharingSpecs,
	"handshakes":   handshakeSpecs,
	"rotation":     rotationSpecs,
	"failing":      failingSpecs,
	"split":        splitSpecs,
	"addresses":    addressSpecs,
	"identities":   identitySpecs,
	"consistency":  consistencySpecs,
	"latency":      latencySpecs,
	"lost packets": packetSpecs,
	"blind spots":  blindSpotSpecs,
	"inference":    inferenceSpecs,
	"discovery":    discoverySpecs,
	"logins":       loginSpecs,
}

func TestFindings(t *testing.T) {
	for family, specs := range families {
		for _, s := range specs {
			t.Run(family+"/"+s.name, s.check)
		}
	}
}

// TestEveryCode tests that some spec finds each code that a single round can show.
func TestEveryCode(t *testing.T) {
	var found []checks.Code
	for _, specs := range families {
		for _, s := range specs {
			for _, line := range s.want {
				found = append(found, codeOf(line))
			}
		}
	}
	for _, e := range checks.Catalogue {
		listed := slices.Contains(found, e.Code)
		if e.Code == checks.NodeRestarted {
			if listed {
				t.Errorf("%s is found in one round, which takes two", e.Code)
			}
		} else if !listed {
			t.Errorf("no spec finds %s", e.Code)
		}
	}
	for _, code := range found {
		if !checks.Known(code) {
			t.Errorf("a spec wants %q, which is no code", code)
		}
	}
}

func TestHealthyRound(t *testing.T) {
	for name, r := range map[string]*round{"a cookie": healthy(), "a hash": hashed(3), "two nodes": hashed(2)} {
		t.Run(name, func(t *testing.T) {
			report := checks.Judge(r.Round)
			if report.Verdict != checks.Healthy || len(report.Findings)+len(report.Doubts) > 0 {
				t.Errorf("got %s, findings %q, doubts %q, want a healthy cluster", report.Verdict, lines(report), report.Doubts)
			}
		})
	}
}

// TestVerdict tests the verdict of rounds, and the doubt if there is one.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		name  string
		round func() *round
		want  checks.Verdict
		doubt string // "": none
	}{
		{"all is well", healthy, checks.Healthy, ""},
		{"a blind spot is no harm", oneAddress(func(*probes.Balancer) {}), checks.Healthy, ""},
		{"a warning", changed(func(r *round) { took(&r.Nodes[1].Primary, time.Minute) }), checks.Degraded, ""},
		{"a critical", scattered, checks.Failing, ""},
		{
			"a critical outweighs a doubt", from(counting, func(r *round) {
				r.Traces[0].Steps, r.Traces[1].Steps[2].Value = r.Traces[0].Steps[:3], "1001"
			}),
			checks.Failing, "it is unknown whether sessions stick: 2 follow-ups stayed, which happens by chance once in 9",
		},
		{
			"a doubt outweighs a warning", changed(func(r *round) {
				r.down("node2")
				r.Traces[0].Steps = r.Traces[0].Steps[:3]
			}),
			checks.Inconclusive, "2 follow-ups stayed, which happens by chance once in 4",
		},
		{"an ignored finding counts for nothing", from(scattered, func(r *round) { r.Ignore = []checks.Code{checks.SessionDrift} }), checks.Healthy, ""},

		{"luck may explain it", changed(func(r *round) { r.Traces[2].Steps = r.Traces[2].Steps[:7] }), checks.Inconclusive, "6 follow-ups stayed"},
		{"a lower confidence asks less", changed(func(r *round) {
			r.Confidence, r.Traces[2].Steps = 0.99, r.Traces[2].Steps[:6]
		}), checks.Healthy, ""},
		{"no confidence given is the default", changed(func(r *round) { r.Confidence = 0 }), checks.Healthy, ""},
		{"a certainty cannot be had", changed(func(r *round) { r.Confidence = 1 }), checks.Inconclusive, "which happens by chance once in 2187"},
		{"no session could be opened", threeNodes, checks.Inconclusive, "no session could be opened and followed"},
		{"none under shared, either", withPolicy(probes.PolicyShared, threeNodes), checks.Inconclusive, "no session could be opened and followed"},
		{"nothing was promised", withPolicy(probes.PolicyNone, threeNodes), checks.Healthy, ""},
		{"no session test is configured", from(threeNodes, func(r *round) { r.Cluster.Session = nil }), checks.Healthy, ""},
		{"answers carry no label", from(threeNodes, func(r *round) { r.visit("", "", "") }), checks.Inconclusive, "the answers do not show which node"},
		{"one node serves: nowhere to drift to", changed(func(r *round) {
			r.down("node2", "node3")
			r.Traces[0].Steps = r.Traces[0].Steps[:2]
		}), checks.Degraded, ""},
		{"two serve, of which one is ejected: nowhere, either", from(func() *round { return empty(2) }, func(r *round) {
			r.newClients(19, "node1")
			r.visit(slices.Repeat([]string{"node1"}, 11)...)
		}), checks.Degraded, ""},
		{"sessions failed over", from(threeNodes, func(r *round) {
			r.visit("node1", "node1", "node2", "node2")
			r.direct("node1", refused(testPage))
		}), checks.Inconclusive, "another round must show whether they stick"},
		{"a session got no answer", changed(func(r *round) {
			for i := range r.Traces[1].Steps[1:] {
				r.Traces[1].Steps[1+i].Exchange = hung(testPage)
			}
		}), checks.Failing, "no answer from its own node"},
		{"no node has the test page", from(threeNodes, func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, page(testPage, 404))
			}
		}), checks.Inconclusive, "no node has the session test page /cluster/test"},
		{"no node reports its version", versions("1.2"), checks.Inconclusive, "no node reports its version"},
		{"a node was not asked", changed(func(r *round) { r.Nodes = r.Nodes[1:] }), checks.Inconclusive, "not probed: node1"},
		{"the round was cut short", changed(func(r *round) { r.direct("node3", cancelled(testPage)) }), checks.Inconclusive, "not probed: node3"},
		{"the balancer was not asked", changed(func(r *round) { r.Balancers = nil }), checks.Inconclusive, "not probed: the balancer"},
		{"one address was not asked", changed(func(r *round) {
			r.through(otherLB)
			r.Balancers[1].Primary = cancelled(testPage)
		}), checks.Inconclusive, "not probed: http://shop.example (192.0.2.11:80)"},
		{"nothing could be reached", from(func() *round {
			return silent(probes.Exchange{Failure: probes.FailureUnreachable, Error: "no route to host"})
		}, func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, r.Balancers[0].Primary)
			}
		}), checks.Failing, "check this prober's own network first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.round().Round
			report := checks.Judge(r)
			if report.Verdict != tc.want {
				t.Errorf("got %s, want %s; findings %q", report.Verdict, tc.want, lines(report))
			}
			if (tc.doubt == "") != (len(report.Doubts) == 0) ||
				!strings.Contains(strings.Join(texts(report.Doubts), "; "), tc.doubt) {
				t.Errorf("got doubts %q, want %q", report.Doubts, tc.doubt)
			}
			for _, problem := range unsound(r, report) {
				t.Error(problem)
			}
		})
	}
}

// TestSessionsOfEarlierRounds tests that a session of earlier rounds moves like one of this round,
// and does not count as a new client.
func TestSessionsOfEarlierRounds(t *testing.T) {
	t.Parallel()
	t.Run("it has drifted since", func(t *testing.T) {
		t.Parallel()
		r := healthy()
		r.visit("node1", "node2", "node1", "node2", "node1", "node2").Continued = true
		r.visit("node1")
		r.Traces[len(r.Traces)-1].Steps[0].At = began.Add(r.Duration)
		report := checks.Judge(r.Round)
		if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionDrift }) {
			t.Errorf("got %v, want %s", lines(report), checks.SessionDrift)
		}
	})
	t.Run("its beginning is no answer of this round", func(t *testing.T) {
		t.Parallel()
		r := empty(3)
		r.newClients(100, "node1")
		r.newClients(100, "node2")
		r.visit("node3").Continued = true
		report := checks.Judge(r.Round)
		if got := report.Nodes[2].InRotation; got != checks.No {
			t.Errorf("node3 in rotation: got %s, want %s: no client met it in this round", got, checks.No)
		}
		expect.Equal(t, "new clients", 200, report.Session.NewClients)
	})
}

// BenchmarkJudge judges a round of the maximum size: twenty nodes and 300 new clients
// at one address, of which twenty send sixty follow-ups.
func BenchmarkJudge(b *testing.B) {
	crowd := func(scatter bool) *round {
		r := empty(20)
		for w := range checks.MaxNewClients {
			owner := w % 20
			labels := []string{r.Cluster.Nodes[owner].ID}
			for s := range 60 {
				if w >= 20 {
					break
				}
				at := owner
				if scatter {
					at = (owner + s) % 20
				}
				labels = append(labels, r.Cluster.Nodes[at].ID)
			}
			r.visit(labels...)
		}
		return r
	}
	hash := from(func() *round { return hashed(20, 3, 7) }, func(r *round) {
		b := &r.Cluster.Balancer
		b.Method, b.HashKey, b.Consistent = probes.MethodHash, "$remote_addr", true
	})
	for name, r := range map[string]*round{"healthy": crowd(false), "scattered": crowd(true), "hashed": hash(), "failing": allFailing()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				checks.Judge(r.Round)
			}
		})
	}
}

// allFailing returns 300 clients that all got an error, and as many new labels as
// nodes.
func allFailing() *round {
	r := empty(20)
	for i := range checks.MaxNewClients {
		tr := r.visit(slices.Repeat([]string{fmt.Sprintf("10.0.0.%d:8080, 10.0.0.99:8080", i%20+1)}, 5)...)
		for s := range tr.Steps {
			tr.Steps[s].Status = 502
		}
	}
	return r
}

// TestReportKeepsNoRounds: the timeline in a report keeps neither the round that it was judged from
// nor those before, so that the memory of a daemon does not grow with each round.
func TestReportKeepsNoRounds(t *testing.T) {
	judged := func(past *checks.Timelines) (checks.Report, weak.Pointer[probes.Trace]) {
		r := healthy()
		r.Past = past
		return checks.Judge(r.Round), weak.Make(&r.Traces[0])
	}
	first, traces := judged(nil)
	second, _ := judged(first.Timelines)
	first = checks.Report{} // nothing but the second report is left
	runtime.GC()
	if traces.Value() != nil {
		t.Error("the traces of a round are kept after it was judged")
	}
	runtime.KeepAlive(second)
}

// TestFindingBeginsWithItsEvidence tests that a finding of a long round is active since its
// first evidence, and not since the start of the round.
func TestFindingBeginsWithItsEvidence(t *testing.T) {
	t.Parallel()
	r := healthy()
	r.Duration = 10 * time.Second
	r.down("node2")
	r.node("node2").Primary.At = began.Add(8 * time.Second)
	ledger := checks.NewLedger(checks.Damping{})
	ledger.Update(checks.Judge(r.Round))
	if got := ledger.Active(); len(got) != 1 || !got[0].Since.Equal(began.Add(8*time.Second)) {
		t.Errorf("got %v, want node_down since 8 s after the start of the round", got)
	}
}
