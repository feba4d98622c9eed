package checks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/phrase/latin"
	"stickwatch/probes"
)

// TestSentences tests summaries, with singular and plural.
func TestSentences(t *testing.T) {
	for _, tc := range []struct {
		name  string
		round func() *round
		code  checks.Code
		want  string // of the summary
	}{
		{
			"one node says", specOf("disputed: a node says down, the probe says up"),
			checks.DependencyDisputed, "node2 says that Redis Server is unavailable, and it answers stickwatch",
		},
		{
			"three say", changed(func(r *round) {
				r.Dependencies = redis(true)
				r.say(probes.StatusReport{State: "paused", Reason: redisDown}, "node1", "node2", "node3")
			}),
			checks.DependencyDisputed, "node1, node2, node3 say that Redis Server is unavailable, and it answers stickwatch",
		},
		{"one does not run", versions("1.2", "1.2", "1.1", "1.2"), checks.VersionSkew, "node2 does not run the expected version 1.2"},
		{"two do not run", versions("1.2", "1.1", "1.1", "1.2"), checks.VersionSkew, "node1, node2 do not run the expected version 1.2"},
		{"what most have comes first", versions("", "1.3", "1.1", "1.3"), checks.VersionSkew, "the nodes run different versions (1.3, 1.1)"},
		{
			"how many were lost", losing(scattered), checks.SessionDrift,
			"sessions do not stay on their node: 13 of 21 follow-ups were answered by another one while it was healthy, and 13 of them had lost the session",
		},
		{
			"how many of all", func() *round { return silent(page(testPage, 502)) }, checks.BalancerError,
			"the balancer at http://shop.example (192.0.2.10:80) answered 4 of 4 requests with an error of its own",
		},
		{
			"a reason", changed(func(r *round) { r.say(probes.StatusReport{State: "paused", Reason: "licence expired"}, "node2") }), checks.NodePaused,
			"node2 says that it is paused: licence expired",
		},
		{"words of a target are made harmless", changed(func(r *round) {
			r.say(probes.StatusReport{State: "paused", Reason: "\x1b[31mred\nalert\u202e"}, "node2")
		}), checks.NodePaused, "node2 says that it is paused: [31mred alert"},
		{
			"one client of two stays", shaken("upgrade", "", healthy), checks.UpgradeRefused,
			"the WebSocket upgrade does not pass the balancer: 1 of 2 clients stay on polling",
		},
		{
			"in days", changed(func(r *round) { expires(&r.Balancers[0].Primary, 36*day/24) }), checks.CertificateExpiring,
			"the certificate of http://shop.example (192.0.2.10:80) expires in 1.5 days",
		},
		{
			"in the past", changed(func(r *round) { expires(&r.Balancers[0].Primary, -day) }), checks.CertificateExpiring,
			"the certificate of http://shop.example (192.0.2.10:80) has expired",
		},
		{
			"at one of two addresses", twoAddresses(1), checks.NodeEjected,
			"node2 is healthy when asked directly, and the balancer at http://shop.example (192.0.2.11:80) sends it nothing",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := checks.Judge(tc.round().Round)
			at := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == tc.code })
			if at < 0 {
				t.Fatalf("got %q, want %s", lines(report), tc.code)
			}
			if diff := cmp.Diff(tc.want, report.Findings[at].Summary.String()); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

func specOf(name string) func() *round {
	for _, specs := range families {
		for _, s := range specs {
			if s.name == name {
				return s.round
			}
		}
	}
	panic("there is no spec " + name)
}

// TestEvidence tests evidence with places and times; at most three lines of a kind.
func TestEvidence(t *testing.T) {
	for _, tc := range []struct {
		name  string
		round func() *round
		code  checks.Code
		want  []string
	}{
		{"drift", scattered, checks.SessionDrift, []string{
			"session s:00000000 of node1 was answered by node2 at 09:00:00.010",
			"session s:00000000 of node1 was answered by node3 at 09:00:00.020",
			"session s:00000000 of node1 was answered by node2 at 09:00:00.040",
			"and 10 more like it",
		}},
		{"lost contents", from(counting, func(r *round) {
			r.Traces[0].Steps[3].Value = ""
		}), checks.SessionLost, []string{`session s:00000000 held 1002, and showed "" on node1 at 09:00:00.030`}},
		{"the time left of a failing node", specOf("only node2 fails, and a request without a session gets an error"), checks.NodeFailingInRotation, []string{
			"a plain request got /cluster/test: HTTP 502 at 09:00:00.000",
			"the balancer's own health checks decide when it is ejected",
		}},
		{"a failing node under nginx", method(probes.MethodRoundRobin, specOf("only node2 fails, and a request without a session gets an error")), checks.NodeFailingInRotation, []string{
			"a plain request got /cluster/test: HTTP 502 at 09:00:00.000",
			"with max_fails=1 nginx ejects it at the next failed connection or time-out, for 10s, in each worker; HTTP errors count only if proxy_next_upstream lists them",
		}},
		{"a failing node that is let fail thirty times", method(probes.MethodRoundRobin, failing(func(r *round) {
			r.Balancers[0].Primary.Status, r.Cluster.Balancer.MaxFails, r.Cluster.Balancer.FailTimeout = 502, 30, 20*time.Second
		})), checks.NodeFailingInRotation, []string{
			"a plain request got /cluster/test: HTTP 502 at 09:00:00.000",
			"about 29s left at an assumed request a second of which 100 % fail (max_fails=30, each worker separately), and at most 9m40s, at one failure every fail_timeout=20s; " +
				"rarer ones are forgotten if a request succeeds between, and HTTP errors count only if proxy_next_upstream lists them. " +
				"nginx's error log (balancer.evidence.nginx_error_log) would show the true rate",
		}},
		{"a failing node that nothing ejects", from(failing(func(r *round) { r.Balancers[0].Primary.Status = 502 }), func(r *round) {
			r.Cluster.Balancer.Method, r.Cluster.Balancer.MaxFails = probes.MethodRoundRobin, 0
		}), checks.NodeFailingInRotation, []string{
			"a plain request got /cluster/test: HTTP 502 at 09:00:00.000",
			"the balancer never ejects it (max_fails=0): requests fail until somebody acts",
		}},
		{"an ejected node", func() *round { return hashed(3, 1) }, checks.NodeEjected, []string{
			"by the hash: a client that ip_hash sends to it was answered 22 times by the node that is next without it",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
		}},
		{"an ejected node, by chance", missing(36), checks.NodeEjected, []string{
			"by new clients: none of 36 new clients met it; by chance that happens once in 2e+06 rounds",
			"asked directly: /cluster/test: HTTP 200 at 09:00:00.000",
		}},
		{"versions", versions("", "1.2", "1.1", "1.2"), checks.VersionSkew, []string{"node1, node3: 1.2", "node2: 1.1"}},
		{"clocks", clocks(0, 6*time.Second, 0), checks.ClockSkew, []string{
			"node1 and node2 are at least 5.5s apart", "node2 and node3 are at least 5.5s apart",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := checks.Judge(tc.round().Round)
			at := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == tc.code })
			if at < 0 {
				t.Fatalf("got %q, want %s", lines(report), tc.code)
			}
			if diff := cmp.Diff(tc.want, texts(report.Findings[at].Evidence)); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
		})
	}
}

// keptSome returns a round in which the clients of one node stay, as behind a table that is full.
func keptSome() *round {
	r := empty(2)
	r.Cluster.Balancer.Method = probes.MethodUnknown
	r.visit(slices.Repeat([]string{"node1"}, 12)...)
	r.visit("node2", "node1", "node2", "node1", "node2", "node1", "node2", "node2", "node1", "node1", "node2", "node1")
	return r
}

// splitOff returns a round in which a node that is not listed gets a part of the requests of a hash.
func splitOff() *round {
	r := empty(2)
	r.Cluster.Balancer.Method = probes.MethodIPHash
	r.visit("node1", "node1", "node1", "canary", "node1", "canary", "node1", "node1", "node1", "node1", "canary", "node1")
	return r
}

// TestRemedies tests that remedies depend on the configuration and on the evidence.
func TestRemedies(t *testing.T) {
	for _, tc := range []struct {
		name  string
		round func() *round
		code  checks.Code
		want  string // a part of the remedy
	}{
		{"drift of a hash", from(scattered, func(r *round) { r.Cluster.Balancer.Method = probes.MethodIPHash }), checks.SessionDrift, "check that the upstream block has ip_hash"},
		{"drift of a cookie", method(probes.MethodCookie, scattered), checks.SessionDrift, "sticky cookie or stickysession"},
		{"drift of neither", scattered, checks.SessionDrift, "Give the balancer a sticky method"},
		{"drift of some clients", keptSome, checks.SessionDrift, "whether its table is full"},
		{"drift to an unlisted node", splitOff, checks.SessionDrift, `All of these requests went to "canary"`},
		{"a limit of requests", changed(func(r *round) { r.Limited = true }), checks.BlindSpot, "from the limit (nginx"},
		{"no name", specOf("down: its name does not resolve"), checks.BalancerDown, "look at DNS"},
		{"nothing listens", func() *round { return silent(refused(testPage)) }, checks.BalancerDown, "start the balancer"},
		{"no TLS", func() *round {
			return silent(probes.Exchange{At: began, Path: testPage, LocalAddress: own, Failure: probes.FailureTLS, Error: "certificate expired"})
		}, checks.BalancerDown, "check scheme, port and certificate"},
		{"a node refuses", changed(func(r *round) { r.down("node2") }), checks.NodeDown, "Nothing listens on 10.0.0.2:8080"},
		{"a node hangs", changed(func(r *round) { r.direct("node2", hung(testPage)) }), checks.NodeDown, "a hanging application or a firewall"},
		{"a node breaks off", specOf("down: the answer breaks off"), checks.NodeDown, "whether this prober can reach it"},
		{"paused for no reason", changed(func(r *round) { r.say(probes.StatusReport{State: "paused"}, "node2") }), checks.NodePaused, "Find out on the node"},
		{"ejected by nginx", func() *round { return hashed(3, 1) }, checks.NodeEjected, "takes it back by itself about 10s after"},
		{"ejected by another", missing(36), checks.NodeEjected, "the balancer's own state of this server"},
		{"one address", oneAddress(func(*probes.Balancer) {}), checks.BlindSpot, "set_real_ip_from 192.0.2.77; real_ip_header X-Stickwatch-Client;"},
		{"a header that is ignored", specOf("not ejected by hash: the header is ignored, and all clients are taken for us"), checks.BlindSpot, "set_real_ip_from 192.0.2.77"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := checks.Judge(tc.round().Round)
			at := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == tc.code })
			if at < 0 {
				t.Fatalf("got %q, want %s", lines(report), tc.code)
			}
			if got := report.Findings[at].Remedy.String(); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// untranslated returns the messages of a report that are not in Chinese when shown in
// Chinese.
func untranslated(r checks.Report) []string {
	all := append([]checks.Message{r.Session.Reason}, r.Doubts...)
	for _, n := range r.Nodes {
		all = append(all, n.Rotation)
	}
	for _, f := range r.Findings {
		all = append(append(all, f.Summary, f.Remedy), f.Evidence...)
	}
	var list []string
	for _, m := range all {
		text := m.In(checks.Chinese)
		if words := latin.Words(text, quotedBy(m)...); len(words) > 0 {
			list = append(list, fmt.Sprintf("%q in %s", words, text))
		}
	}
	return list
}

// quotedBy returns every text that a message quotes, the longest first.
func quotedBy(m checks.Message) []string {
	a := m.Args
	list := []string{a.Node, a.Other, a.Name, a.Server, a.Address, a.Client, a.Path, a.Setting, a.State, a.Value, a.Was, a.Reason, m.Text, `"no live upstreams"`}
	list = slices.Concat(list, a.Nodes, a.Addresses, a.Values)
	for _, part := range []*checks.Message{a.Why, a.But} {
		if part != nil {
			list = append(list, quotedBy(*part)...)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
