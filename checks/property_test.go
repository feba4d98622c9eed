package checks_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestJudgeAnything tests that Judge accepts senseless rounds, and returns
// well-formed reports.
func TestJudgeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRound(t)
		report := checks.Judge(r)
		for _, problem := range unsound(r, report) {
			t.Error(problem)
		}
		if len(report.Nodes) != len(r.Cluster.Nodes) {
			t.Errorf("got %d nodes, want %d", len(report.Nodes), len(r.Cluster.Nodes))
		}
		if s := report.Session; (s.Sticky == checks.Unknown) != (s.Confidence < r.Confidence || s.Confidence == 0) {
			t.Errorf("got sticky %s with a confidence of %v, asked for %v", s.Sticky, s.Confidence, r.Confidence)
		}
		if (report.Verdict == checks.Healthy) && len(report.Doubts) > 0 {
			t.Errorf("healthy, though %q", report.Doubts)
		}
	})
}

// TestJudgeIsAFunction tests that Judge returns the same for the same round, and does
// not change it.
func TestJudgeIsAFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRound(t)
		first, second := checks.Judge(r), checks.Judge(r)
		for i := range max(len(first.Findings), len(second.Findings)) {
			if len(first.Findings) != len(second.Findings) || line(first.Findings[i]) != line(second.Findings[i]) {
				t.Fatalf("got %q, then %q", lines(first), lines(second))
			}
		}
	})
}

// oneOf draws one of some values.
func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

func anyRound(t *rapid.T) checks.Round {
	c := anyCluster(t)
	r := checks.Round{
		Cluster: c, Started: began,
		Confidence:    oneOf(t, "confidence", 0.9, 0.999, 0.5),
		ExpectVersion: oneOf(t, "expected", "", "1.2"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "balancers") {
		b := probes.BalancerObservation{
			URL: oneOf(t, "url", lbURL, "http://other.example/"), Address: anyAddress(t), Primary: anyExchange(t), Pages: anyExchanges(t),
		}
		same := func(o probes.BalancerObservation) bool { return o.URL == b.URL && o.Address == b.Address }
		if !contains(r.Balancers, same) { // each address is asked once
			r.Balancers = append(r.Balancers, b)
		}
	}
	for _, n := range c.Nodes {
		if rapid.IntRange(0, 9).Draw(t, "asked") > 0 {
			r.Nodes = append(r.Nodes, anyNode(t, n.ID))
		}
	}
	for range rapid.IntRange(0, 12).Draw(t, "traces") {
		r.Traces = append(r.Traces, anyTrace(t))
	}
	for range rapid.IntRange(0, 3).Draw(t, "crossings") {
		r.FailoverChecks = append(r.FailoverChecks, probes.FailoverCheck{
			From: anyLabel(t), To: anyLabel(t), Counter: oneOf(t, "counter", 0, 1002), Session: anySession(t), There: anyExchange(t),
		})
	}
	for range rapid.IntRange(0, 3).Draw(t, "handshakes") {
		r.Handshakes = append(r.Handshakes, anyHandshake(t, ""))
	}
	for _, n := range c.Nodes {
		if rapid.Bool().Draw(t, "handshake") {
			r.Handshakes = append(r.Handshakes, anyHandshake(t, n.ID))
		}
	}
	for _, kind := range []probes.EvidenceKind{probes.EvidenceNginxErrorLog, probes.EvidenceHAProxyStats} {
		if rapid.Bool().Draw(t, string(kind)) {
			r.Evidence = append(r.Evidence, anyEvidence(t, kind))
		}
	}
	for _, name := range []string{"Redis Server", "DB"} {
		if rapid.Bool().Draw(t, name) {
			r.Dependencies = append(r.Dependencies, probes.DependencyObservation{Name: name, Up: rapid.Bool().Draw(t, "up"), Error: anyText(t)})
		}
	}
	return r
}

func contains[T any](list []T, fits func(T) bool) bool {
	return slices.ContainsFunc(list, fits)
}

func anyCluster(t *rapid.T) *probes.Cluster {
	c := cluster(rapid.IntRange(0, 5).Draw(t, "nodes"))
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.Weight = oneOf(t, "weight", 0, 1, 3)
		n.Down = rapid.IntRange(0, 9).Draw(t, "down") == 0
		n.Backup = rapid.IntRange(0, 9).Draw(t, "backup") == 0
		n.Primary = rapid.Bool().Draw(t, "primary")
		n.Label = oneOf(t, "label", "", "", "blue")
	}
	c.Balancer.Method = rapid.SampledFrom(probes.Methods).Draw(t, "method")
	c.Balancer.MaxFails = oneOf(t, "max_fails", 0, 1)
	c.Balancer.ClientIPHeader = oneOf(t, "header", "", "X-Client")
	c.Balancer.HashKey = oneOf(t, "hash key", "", "$remote_addr", "$http_x_user", "$cookie_id")
	c.Balancer.Consistent = rapid.Bool().Draw(t, "consistent")
	c.Session.Policy = rapid.SampledFrom(probes.Policies).Draw(t, "policy")
	if rapid.IntRange(0, 9).Draw(t, "session") == 0 {
		c.Session = nil
	}
	if rapid.Bool().Draw(t, "status") {
		c.Status = &probes.Status{Path: "/status", Settings: []string{"scaling"}}
	}
	for _, path := range []string{app, testPage} {
		if rapid.Bool().Draw(t, path) {
			c.Pages = append(c.Pages, probes.Page{Path: path, Want: probes.StatusRange{From: 200, To: 399}})
		}
	}
	return c
}

func anyNode(t *rapid.T, id string) probes.NodeObservation {
	o := probes.NodeObservation{
		Node: id, Primary: anyExchange(t), Pages: anyExchanges(t), Label: oneOf(t, "label", id, id, anyLabel(t)),
		Version: oneOf(t, "version", "", "1.1", "1.2"),
		Clock:   probes.ClockOffset{Min: anyDuration(t), Max: anyDuration(t), Samples: oneOf(t, "samples", 0, 2)},
	}
	if rapid.Bool().Draw(t, "session page") {
		session := anyExchange(t)
		o.Session = &session
	}
	if rapid.Bool().Draw(t, "status report") {
		o.Status = &probes.StatusReport{
			State:    oneOf(t, "state", "", "running", "paused", anyText(t)),
			Reason:   oneOf(t, "reason", "", "", redisDown, anyText(t)),
			UpSince:  oneOf(t, "since", time.Time{}, began, began.Add(-time.Hour)),
			Settings: map[string]string{"scaling": anyText(t)},
		}
	}
	return o
}

func anyTrace(t *rapid.T) probes.Trace {
	tr := probes.Trace{
		URL: lbURL, Balancer: anyAddress(t), Base: 1000,
		Client:     oneOf(t, "client", "", "198.18.1.1", "198.18.2.1", "stickwatch-1"),
		TargetNode: oneOf(t, "expected", "", "node1", "node2", "node9"),
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "steps") {
		s := probes.Step{Kind: probes.StepFollow, Counter: oneOf(t, "counter", 0, 1002), Exchange: anyExchange(t)}
		if i == 0 {
			s.Kind = probes.StepFirst
		}
		tr.Steps = append(tr.Steps, s)
	}
	return tr
}

func anyHandshake(t *rapid.T, node string) probes.HandshakeObservation {
	return probes.HandshakeObservation{
		Balancer: anyAddress(t), Node: node, TargetNode: anyLabel(t), Stage: oneOf(t, "stage", "", "open", "poll"), Error: anyText(t),
		Opened: rapid.Bool().Draw(t, "opened"), Known: rapid.Bool().Draw(t, "known"), Offered: rapid.Bool().Draw(t, "offered"),
	}
}

func anyEvidence(t *rapid.T, kind probes.EvidenceKind) probes.EvidenceObservation {
	o := probes.EvidenceObservation{Kind: kind, Source: "its own word", Error: oneOf(t, "unread", "", "", "HTTP 401"), NoAbsence: anyText(t)}
	for range rapid.IntRange(0, 3).Draw(t, "servers") {
		o.Servers = append(o.Servers, probes.ServerEvidence{
			Server: oneOf(t, "server", "10.0.0.1:8080", "node2", "web", anyText(t)), Detail: anyText(t),
			State: oneOf(t, "state", probes.ServerUp, probes.ServerDown, probes.ServerDraining, probes.ServerUnknown),
		})
	}
	return o
}

// anyExchange mostly succeeds; otherwise most traces would be empty.
func anyExchange(t *rapid.T) probes.Exchange {
	ex := probes.Exchange{
		At:           began.Add(anyDuration(t)),
		Path:         oneOf(t, "path", testPage, app, ""),
		Status:       oneOf(t, "status", 200, 200, 200, 200, 302, 404, 500, 502, 503, 0),
		LocalAddress: oneOf(t, "own", own, own, netip.Addr{}, netip.MustParseAddr("2001:db8::7")),
		Label:        anyLabel(t),
		Session:      anySession(t),
		Store:        oneOf(t, "store", "", "n1", "n2"),
		Value:        oneOf(t, "value", "1002", "1001", "", anyText(t)),
		Timing:       probes.Timing{Total: anyDuration(t)},
	}
	switch rapid.IntRange(0, 12).Draw(t, "outcome") {
	case 0:
		ex.Failure, ex.Error = oneOf(t, "failure",
			probes.FailureDNS, probes.FailureRefused, probes.FailureUnreachable, probes.FailureReset, probes.FailureTimeout,
			probes.FailureTLS, probes.FailureMalformed, probes.FailureRedirect, probes.FailureCancelled), anyText(t)
	case 1:
		ex.Rejected = []probes.RejectedCookie{{Name: "JSESSIONID", Rule: probes.CookiePath, Has: "/app", Asks: "/"}}
	case 2:
		ex.Certificate = began.Add(anyDuration(t))
	}
	return ex
}

func anyExchanges(t *rapid.T) []probes.Exchange {
	var list []probes.Exchange
	for range rapid.IntRange(0, 3).Draw(t, "pages") {
		list = append(list, anyExchange(t))
	}
	return list
}

func anyLabel(t *rapid.T) string {
	return oneOf(t, "label", "node1", "node1", "node2", "node2", "node3", "node4", "", "blue", "node9",
		"10.0.0.1:8080, 10.0.0.2:8080", "10.0.0.1:8080 : 10.0.0.3:8080", ", ", " : ", " ", anyText(t))
}

// anyText returns a text as probes produce it: one clean line of bounded length.
func anyText(t *rapid.T) string {
	return probes.Clean(rapid.StringN(0, 300, 300).Draw(t, "text"), probes.MaxValue)
}

func anySession(t *rapid.T) probes.Fingerprint {
	return oneOf[probes.Fingerprint](t, "session", "", "s:00000001", "s:00000001", "s:00000002")
}

func anyAddress(t *rapid.T) netip.AddrPort {
	return oneOf(t, "address", lb, lb, otherLB, netip.AddrPort{}, netip.MustParseAddrPort("[2001:db8::10]:80"))
}

func anyDuration(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond
}
