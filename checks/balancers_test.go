package checks_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// silent returns a round of three nodes behind a balancer that answers every request
// with ex.
func silent(ex probes.Exchange) *round {
	r := empty(3)
	r.Balancers[0].Primary = ex
	for range 3 {
		r.visit("").Steps[0].Exchange = ex
	}
	return r
}

func threeNodes() *round { return empty(3) }

var balancerSpecs = []spec{
	{
		name:  "down: nothing listens",
		round: func() *round { return silent(refused(testPage)) },
		want:  []string{"critical balancer_down/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "down: its name does not resolve",
		round: from(threeNodes, func(r *round) {
			r.Balancers[0].Address = netip.AddrPort{}
			r.Balancers[0].Primary = probes.Exchange{At: began, Failure: probes.FailureDNS, Error: "no such host"}
		}),
		want: []string{"critical balancer_down/http://shop.example"},
	},
	{
		name: "error: by one of two nodes that are down, of which nothing shows which",
		round: changed(func(r *round) {
			r.down("node1", "node2")
			r.visit("").Steps[0].Status = 503
		}),
		want: []string{
			"warning node_down/node1",
			"warning balancer_error/http://shop.example (192.0.2.10:80) [node1 node2] <- node_down/node1",
			"warning node_down/node2",
		},
	},
	{
		name: "down: one of two addresses, distinct from the other",
		round: changed(func(r *round) {
			r.through(otherLB)
			r.Balancers[1].Primary = refused(testPage)
		}),
		want: []string{"critical balancer_down/http://shop.example (192.0.2.11:80)"},
	},
	{
		name: "two names at one address, of which one gives one error and the other nothing else",
		round: changed(func(r *round) {
			r.visit("").Steps[0].Status = 502
			r.Balancers = append(r.Balancers, probes.BalancerObservation{URL: "http://intranet.example", Address: lb, Primary: page(testPage, 502)})
			for range 3 {
				tr := r.visit("")
				tr.URL, tr.Steps[0].Status = "http://intranet.example", 502
			}
		}),
		want: []string{"critical balancer_error/http://intranet.example (192.0.2.10:80)", "warning balancer_error/http://shop.example (192.0.2.10:80)"},
	},
	{
		name:  "down: it takes connections and says nothing, while all nodes are well",
		round: func() *round { return silent(hung(testPage)) },
		want:  []string{"critical balancer_down/http://shop.example (192.0.2.10:80)"},
	},
	{
		name:  "not down: one request was lost, clients are answered",
		round: changed(func(r *round) { r.Balancers[0].Primary = hung(testPage) }),
	},
	{
		name:  "not down: stickwatch broke off",
		round: func() *round { return silent(cancelled(testPage)) },
	},
	{
		name: "not down: the one node that hangs is why there is no answer",
		round: func() *round {
			r := silent(hung(testPage))
			r.direct("node2", hung(testPage))
			return r
		},
		want: []string{"warning node_down/node2", "critical node_failing_in_rotation/node2 <- node_down/node2"},
	},
	{
		name: "not down: the malformed answer is that of one node",
		round: func() *round {
			r := silent(malformed(testPage))
			r.direct("node2", malformed(testPage))
			return r
		},
		want: []string{"warning node_down/node2", "critical node_failing_in_rotation/node2 <- node_down/node2"},
	},
	{
		name:  "down: gibberish of its own",
		round: func() *round { return silent(malformed(testPage)) },
		want:  []string{"critical balancer_down/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "not down: all nodes hang",
		round: func() *round {
			r := silent(hung(testPage))
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, hung(testPage))
			}
			return r
		},
		want: []string{"critical node_down/node1", "critical node_down/node2", "critical node_down/node3"},
	},
	{
		name: "down: two nodes hang, and it is not known which of them clients get",
		round: func() *round {
			r := silent(hung(testPage))
			r.direct("node1", hung(testPage))
			r.direct("node2", hung(testPage))
			return r
		},
		want: []string{"critical balancer_down/http://shop.example (192.0.2.10:80)", "warning node_down/node1", "warning node_down/node2"},
	},

	{
		name:  "error: 502 to all clients, while all nodes are well",
		round: func() *round { return silent(page(testPage, 502)) },
		want:  []string{"critical balancer_error/http://shop.example (192.0.2.10:80)"},
	},
	{
		name: "error: 502 because no node is left",
		round: func() *round {
			r := silent(page(testPage, 502))
			r.down("node1", "node2", "node3")
			return r
		},
		want: []string{
			"critical node_down/node1",
			"critical balancer_error/http://shop.example (192.0.2.10:80) [node1 node2 node3] <- node_down/node1",
			"critical node_down/node2", "critical node_down/node3",
		},
	},
	{
		name: "error: 503 because all nodes are paused",
		round: func() *round {
			r := silent(page(testPage, 503))
			r.say(probes.StatusReport{State: "paused"}, "node1", "node2", "node3")
			return r
		},
		want: []string{
			"critical node_paused/node1",
			"critical balancer_error/http://shop.example (192.0.2.10:80) [node1 node2 node3] <- node_paused/node1",
			"critical node_paused/node2", "critical node_paused/node3",
		},
	},
	{
		name: "error: one paused node does not explain 502 to all clients",
		round: func() *round {
			r := silent(page(testPage, 502))
			r.say(probes.StatusReport{State: "paused"}, "node2")
			return r
		},
		want: []string{"critical balancer_error/http://shop.example (192.0.2.10:80)", "critical node_paused/node2"},
	},
	{
		name: "error: our only node is down, and the balancer goes on asking it",
		round: func() *round {
			r := silent(page(testPage, 502))
			r.direct("node2", refused(testPage))
			return r
		},
		want: []string{
			"warning node_down/node2",
			"critical node_failing_in_rotation/node2 <- node_down/node2",
			"critical balancer_error/http://shop.example (192.0.2.10:80) [node2] <- node_failing_in_rotation/node2",
		},
	},
	{
		name: "no error of its own: a failing node explains the few",
		round: changed(func(r *round) {
			r.down("node2")
			r.visit("").Steps[0].Exchange = page(testPage, 502)
		}),
		want: []string{"warning node_down/node2", "critical node_failing_in_rotation/node2 <- node_down/node2"},
	},
	{
		name: "no error of its own: a node says the same when asked directly",
		round: changed(func(r *round) {
			r.direct("node2", page(testPage, 503))
			r.leave("node2")
			r.Balancers[0].Primary = page(testPage, 503)
		}),
		want: []string{"warning node_down/node2", "critical node_failing_in_rotation/node2 <- node_down/node2"},
	},
	{
		name:  "no error of its own: 500 is an application's",
		round: changed(func(r *round) { r.Balancers[0].Primary = page(testPage, 500) }),
	},
}

// TestLastToFail tests that errors of the balancer belong to the node that failed last in a rolling
// restart: the other one was back by then.
func TestLastToFail(t *testing.T) {
	t.Parallel()
	r := silent(page(testPage, 502))
	r.Cluster.Nodes, r.Nodes = r.Cluster.Nodes[:2], r.Nodes[:2]
	restarted := func(ago time.Duration) checks.NodeTimeline {
		at := began.Add(-ago)
		return checks.NodeTimeline{Restarted: at, LastSign: new(checks.Quote("restarted")), Disruptions: []checks.Disruption{{
			Span: checks.Span{From: at.Add(-5 * time.Second), To: began}, Kind: checks.DisruptionRestart, Gone: at, Why: new(checks.Quote("restarted")),
		}}}
	}
	r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node1": restarted(20 * time.Second), "node2": restarted(10 * time.Second)}}
	got := lines(checks.Judge(r.Round))
	want := []string{
		"info node_restarted/node2", "critical balancer_error/http://shop.example (192.0.2.10:80) <- node_restarted/node2",
		"info node_restarted/node1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestBalancerDownAtOnce tests that a balancer that is down needs no second round, which may
// be long, if clients have got no answer for long enough, and have got none since.
func TestBalancerDownAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failed, answered int // seconds before the round
		want             int // active findings
	}{
		"clients got no answer for a while": {10, 15, 1},
		"one got an answer meanwhile":       {10, 5, 0},
		"since a moment ago":                {1, 15, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := silent(refused(testPage))
			tr := r.visit("node1", "node1", "node1")
			tr.Continued, tr.OpenerLabel = true, "node1"
			tr.Steps[1].At = began.Add(-time.Duration(tc.answered) * time.Second)
			tr.Steps[2].Exchange = refused(testPage)
			tr.Steps[2].At = began.Add(-time.Duration(tc.failed) * time.Second)
			l := checks.NewLedger(checks.Damping{Appear: 2, Vanish: 2, MinHarm: 5 * time.Second})
			l.Update(checks.Judge(r.Round))
			if got := l.Active(); len(got) != tc.want {
				t.Errorf("got %v, want %d active", got, tc.want)
			}
		})
	}
}
