package checks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

const app = "/app_a/"

// withPage returns a healthy round with a configured page; nodes are the direct
// answers, through the balancer's.
func withPage(through probes.Exchange, nodes ...probes.Exchange) func() *round {
	return changed(func(r *round) {
		r.Cluster.Pages = []probes.Page{{Path: app, Want: probes.StatusRange{From: 200, To: 399}}}
		for i := range r.Nodes {
			r.Nodes[i].Pages = []probes.Exchange{nodes[i]}
		}
		r.Balancers[0].Pages = []probes.Exchange{through}
	})
}

// testPageFails lets every node answer its session test page with a status, directly and
// through the balancer.
func (r *round) testPageFails(status int) {
	for _, n := range r.Cluster.Nodes {
		r.direct(n.ID, page(testPage, status))
		r.visit("").Steps[0].Status = status
	}
}

// titled is a page with a title.
func titled(title string) probes.Exchange {
	ex := page(app, 200)
	ex.Title = title
	return ex
}

// TestForeignTitle tests that a page through the balancer is judged by its title once clients got one
// that the nodes give.
func TestForeignTitle(t *testing.T) {
	t.Parallel()
	foreign := []string{"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80)"}
	type pages struct {
		through string
		nodes   [3]string
	}
	shop := [3]string{"Shop", "Shop", "Shop"}
	for name, tc := range map[string]struct {
		before, now pages
		want        []string
	}{
		"a maintenance page":                            {pages{"Shop", shop}, pages{"Maintenance", shop}, foreign},
		"another virtual host, from the beginning":      {pages{"Portal", shop}, pages{"Portal", shop}, nil},
		"a cache has the title of the version before":   {pages{"Shop", shop}, pages{"Shop", [3]string{"Store", "Store", "Store"}}, nil},
		"a title with a number":                         {pages{"Shop 12:01", [3]string{"Shop 12:01", "Shop 12:01", "Shop 12:01"}}, pages{"Shop 12:02", shop}, nil},
		"one of the titles that nodes have in turns":    {pages{"A", [3]string{"A", "B", "B"}}, pages{"B", [3]string{"A", "A", "A"}}, nil},
		"a page without a title, such as a redirection": {pages{"Shop", shop}, pages{"", shop}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			round := func(p pages) *round {
				return withPage(titled(p.through), titled(p.nodes[0]), titled(p.nodes[1]), titled(p.nodes[2]))()
			}
			first, now := round(tc.before), round(tc.now)
			now.Past = checks.Judge(first.Round).Timelines
			if diff := cmp.Diff(tc.want, lines(checks.Judge(now.Round))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

var pageSpecs = []spec{
	{
		name:  "on one node only",
		round: withPage(page(app, 200), page(app, 200), page(app, 500), page(app, 200)),
		want:  []string{"warning page_failing/node2 /app_a/"},
	},
	{
		name:  "on a node that has gone since it was asked for its status",
		round: withPage(page(app, 200), page(app, 200), refused(app), page(app, 200)),
	},
	{
		name:  "on a node, and there through the balancer",
		round: withPage(page(app, 404), page(app, 200), page(app, 404), page(app, 200)),
		want: []string{
			"warning page_failing/node2 /app_a/",
			"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80) [node2] <- page_failing/node2 /app_a/",
		},
	},
	{
		name:  "through the balancer only",
		round: withPage(page(app, 403), page(app, 200), page(app, 200), page(app, 200)),
		want:  []string{"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80)"},
	},
	{
		name:  "through the balancer it hangs, though other pages come",
		round: withPage(hung(app), page(app, 200), page(app, 200), page(app, 200)),
		want:  []string{"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80)"},
	},
	{
		name: "through the balancer, on the way to a node that is down",
		round: from(withPage(hung(app), page(app, 200), hung(app), page(app, 200)), func(r *round) {
			r.direct("node2", hung(testPage))
			r.leave("node2")
		}),
		want: []string{
			"warning node_down/node2",
			"critical node_failing_in_rotation/node2 <- node_down/node2",
			"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80) [node2] <- node_failing_in_rotation/node2",
		},
	},
	{
		name: "a node that is down does not explain a page that is gone",
		round: from(withPage(page(app, 404), page(app, 200), refused(app), page(app, 200)), func(r *round) {
			r.down("node2")
		}),
		want: []string{"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80)", "warning node_down/node2"},
	},
	{
		name: "a page that fails on well nodes is not the doing of one that is down",
		round: from(withPage(page(app, 500), page(app, 500), refused(app), page(app, 500)), func(r *round) {
			r.down("node2")
		}),
		want: []string{
			"warning page_failing/node1 /app_a/",
			"critical page_failing/http://shop.example/app_a/ (192.0.2.10:80) [node1 node3] <- page_failing/node1 /app_a/",
			"warning node_down/node2",
			"warning page_failing/node3 /app_a/",
		},
	},
	{
		name:  "something in between: another virtual host",
		round: func() *round { return silent(page(testPage, 404)) },
		want:  []string{"critical page_failing/http://shop.example/cluster/test (192.0.2.10:80)"},
	},
	{
		name: "something in between: it redirects in circles",
		round: func() *round {
			circles := page(testPage, 302)
			circles.Failure, circles.Error = probes.FailureRedirect, "redirect loop"
			return silent(circles)
		},
		want: []string{"critical page_failing/http://shop.example/cluster/test (192.0.2.10:80)"},
	},
	{
		name: "something in between: at one of two addresses",
		round: changed(func(r *round) {
			r.through(otherLB)
			tr := r.visit("")
			tr.Balancer, tr.Steps[0].Status = otherLB, 403
		}),
		want: []string{"critical page_failing/http://shop.example/cluster/test (192.0.2.11:80)"},
	},
	{
		name: "nothing in between: a node says the same",
		round: changed(func(r *round) {
			r.direct("node2", page(testPage, 404))
			r.leave("node2")
			r.visit("").Steps[0].Status = 404
		}),
		want: []string{"warning page_failing/node2 /cluster/test"},
	},
	{
		name: "nothing in between: the status page is not for the public",
		round: from(func() *round { return silent(page("/status", 403)) }, func(r *round) {
			r.Cluster.Session, r.Cluster.Status = nil, &probes.Status{Path: "/status"}
			for i := range r.Nodes {
				r.Nodes[i].Primary, r.Nodes[i].Session = page("/status", 200), nil
			}
		}),
	},
	{
		name:  "a redirect is as configured",
		round: withPage(page(app, 302), page(app, 302), page(app, 302), page(app, 302)),
	},
	{
		name:  "not asked for",
		round: withPage(cancelled(app), page(app, 200), cancelled(app), probes.Exchange{}),
	},
	{
		name: "fewer pages than configured",
		round: changed(func(r *round) {
			r.Cluster.Pages = []probes.Page{{Path: app, Want: probes.StatusRange{From: 200, To: 399}}}
		}),
	},
	{
		name: "not of a node that the operator took out",
		round: from(withPage(page(app, 200), page(app, 200), page(app, 500), page(app, 200)), func(r *round) {
			r.Cluster.Nodes[1].Down = true
		}),
	},
	{
		name: "the session test page of one node",
		round: changed(func(r *round) {
			r.direct("node2", page(testPage, 404))
			r.leave("node2")
		}),
		want: []string{"warning page_failing/node2 /cluster/test"},
	},
	{
		name: "the session test page of no node any more",
		round: from(threeNodes, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Served: true}}
			r.testPageFails(404)
		}),
		want: []string{
			"critical page_failing/http://shop.example/cluster/test (192.0.2.10:80) [node1 node2 node3]",
		},
	},
	{
		name: "the session test page of no node, as before a restart of stickwatch",
		round: from(threeNodes, func(r *round) {
			gone := checks.Finding{Code: checks.PageFailing, Severity: checks.Critical, Target: lbURL + testPage + " (192.0.2.10:80)"}
			r.Past = checks.Restored(r.Cluster, []checks.ActiveFinding{{Finding: gone}})
			r.testPageFails(404)
		}),
		want: []string{
			"critical page_failing/http://shop.example/cluster/test (192.0.2.10:80) [node1 node2 node3]",
		},
	},
	{
		name: "the session test page of no node: another page failed before a restart of stickwatch",
		round: from(threeNodes, func(r *round) {
			other := checks.Finding{Code: checks.PageFailing, Severity: checks.Critical, Target: lbURL + app + " (192.0.2.10:80)"}
			r.Past = checks.Restored(r.Cluster, []checks.ActiveFinding{{Finding: other}})
			r.testPageFails(404)
		}),
	},
	{
		name: "stickwatch is refused on every node",
		round: from(threeNodes, func(r *round) {
			r.Past = &checks.Timelines{Balancer: checks.BalancerTimeline{Served: true}}
			r.testPageFails(403)
		}),
		want: []string{
			"warning page_failing/http://shop.example/cluster/test (192.0.2.10:80) [node1 node2 node3]",
		},
	},
	{
		name: "the session test page of no node: a doubt, no finding",
		round: from(threeNodes, func(r *round) {
			for _, n := range r.Cluster.Nodes {
				r.direct(n.ID, page(testPage, 404))
			}
		}),
	},
}
