package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// pages finds pages that are not as configured; the session test page is one.
func pages(v *view) []Finding {
	var list []Finding
	for i, page := range v.Cluster.Pages {
		for _, o := range v.Nodes {
			if v.well(o.Node) {
				list = append(list, v.page(o.Node, "", page, o.Pages[i])...)
			}
		}
		for _, b := range v.Balancers {
			if i < len(b.Pages) && b.Pages[i].Answered() && !v.ownError(b.Pages[i]) {
				list = append(list, v.page("", b.URL, page, b.Pages[i])...)
			}
		}
	}
	return append(list, v.sessionPage()...)
}

// page judges one answer, of a node or of a balancer's address.
func (v *view) page(node, balancer string, page probes.Page, ex probes.Exchange) []Finding {
	if ex.Failure == "" && page.Want.Has(ex.Status) || ex.Failure == probes.FailureCancelled {
		return nil
	}
	f := Finding{Code: PageFailing, Severity: Critical, Target: balancer + page.Path}
	where := "through the balancer"
	if node != "" {
		f = about(PageFailing, Warning, node)
		f.Target = page.Path
		where = "on " + node
	}
	got := fmt.Sprintf("HTTP %d", ex.Status)
	if ex.Failure != "" {
		got = ex.Error
	}
	f.Summary = fmt.Sprintf("%s fails %s: got %s, want %s", page.Path, where, got, page.Want)
	f.Evidence = []string{v.brief(ex)}
	f.Remedy = "Look in the application's log for this request; if the page moved, correct its path or status in the configuration."
	return []Finding{f}
}

// sessionPage judges the test page where it is not the page that tells whether
// a node is up. One that nobody has is a matter of configuration: see doubts.
func (v *view) sessionPage() []Finding {
	if v.Cluster.Session == nil || v.noTestPage() {
		return nil
	}
	var list []Finding
	want := probes.Page{Path: v.Cluster.Session.Path, Want: probes.StatusRange{From: 200, To: 399}}
	if slices.ContainsFunc(v.Cluster.Pages, func(p probes.Page) bool { return p.Path == want.Path }) {
		return nil
	}
	for _, o := range v.Nodes {
		if v.well(o.Node) && o.Session != nil {
			list = append(list, v.page(o.Node, "", want, *o.Session)...)
		}
	}
	return list
}

// noTestPage reports whether every node that is up answers the session test
// page with a 4xx: the path is wrong, or the application has no such page.
func (v *view) noTestPage() bool {
	asked := 0
	for _, o := range v.Nodes {
		if !v.up[o.Node] || o.Session == nil {
			continue
		}
		if asked++; o.Session.Status < 400 || o.Session.Status > 499 {
			return false
		}
	}
	return asked > 0
}
