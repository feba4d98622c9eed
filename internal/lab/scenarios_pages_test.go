package lab

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// pageScenarios are faults of single pages, and unusual but valid pages.
var pageScenarios = []scenario{
	{
		name: "a page fails on one node", plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Pages = pagesAt("/app_a/")
			r.change("node2", func(f *demo.NodeFaults) { f.Failing = "/app_a/" })
		},
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.PageFailing},
	},
	{
		name: "a page is being deployed", plan: plan{profile: "huozige"},
		act: func(r *rig) {
			r.cluster.Pages = pagesAt("/app_a/")
			r.change("node2", func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
		},
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.PageFailing},
	},
	{
		name: "the test page is missing on one node", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/index.jsp", 404 })
		},
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.PageFailing, checks.NodeFailingInRotation},
	},
	{
		name: "the test page fails on one node", on: matchesAll(holdsAny, some), plan: plan{profile: "generic"},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Failing = "/cluster/test" }) },
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "a page fails on every node", on: some, plan: plan{profile: "huozige"},
		act: func(r *rig) {
			r.cluster.Pages = pagesAt("/app_a/", "/app_b/")
			r.changeAll(func(f *demo.NodeFaults) { f.Failing = "/app_b/" })
		},
		want: []string{"page_failing/node1", "page_failing/node2", "page_failing/node3", "page_failing"},
	},
	{
		name: "the test page is missing", on: some, plan: plan{profile: "generic"},
		act: func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/cluster/test", 404 }) },
		is:  checks.Inconclusive, doubt: "no node has the session test page",
	},
	{
		name: "the test page asks for a login", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", middleware: login},
		is: checks.Inconclusive,
	},
	{
		name: "the page tells no node", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", middleware: noSessionShown},
		is: checks.Inconclusive, doubt: "do not show which node",
	},
	{
		name: "pages are compressed", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", middleware: compress}, is: checks.Healthy,
	},
	{
		name: "pages are in GBK", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", gbk: true}, is: checks.Healthy,
	},
	{
		name: "pages of 900 KB", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", middleware: padPages}, is: checks.Healthy,
	},
	{
		name: "all below a path", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge", prefix: "/portal", middleware: below("/portal")}, is: checks.Healthy,
	},
}

func pagesAt(paths ...string) []probes.Page {
	var list []probes.Page
	for _, p := range paths {
		list = append(list, probes.Page{Path: p, Want: probes.StatusRange{From: 200, To: 399}})
	}
	return list
}

// login redirects clients that have not logged in to a form.
func login(n *demo.Node) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/login", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<html><form>User <input name=user> Password <input type=password name=word></form></html>"))
	}))
	mux.Handle("/", http.RedirectHandler("/login", http.StatusFound))
	return mux
}

// noSessionShown keeps the session but does not show it.
func noSessionShown(n *demo.Node) http.Handler {
	return rewrite(n, func(http.Header, []byte) []byte { return []byte("<html>Welcome</html>") })
}

// noCookie removes the session's cookie from answers.
func noCookie(n *demo.Node) http.Handler {
	return rewrite(n, func(h http.Header, body []byte) []byte {
		h.Del("Set-Cookie")
		return body
	})
}

// padPages makes every page long, with the relevant part at its end.
func padPages(n *demo.Node) http.Handler {
	return rewrite(n, func(_ http.Header, body []byte) []byte {
		comment := "<!-- " + strings.Repeat("padding ", 900<<10/8) + "-->"
		return bytes.Replace(body, []byte("<body>"), []byte("<body>"+comment), 1)
	})
}

// compress serves gzip to clients that accept it.
func compress(n *demo.Node) http.Handler {
	plain := rewrite(n, func(_ http.Header, body []byte) []byte { return body })
	zipped := rewrite(n, func(h http.Header, body []byte) []byte {
		h.Set("Content-Encoding", "gzip")
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		w.Write(body)
		w.Close()
		return buf.Bytes()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			zipped.ServeHTTP(w, r)
		} else {
			plain.ServeHTTP(w, r)
		}
	})
}

// below serves everything under a path.
func below(prefix string) func(*demo.Node) http.Handler {
	return func(n *demo.Node) http.Handler { return http.StripPrefix(prefix, n) }
}

// rewrite changes the answers of a node.
func rewrite(n *demo.Node, change func(http.Header, []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		n.ServeHTTP(answer, r)
		answer.Header().Del("Content-Length")
		body := change(answer.Header(), answer.Body.Bytes())
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(body)
	})
}

// wrongPageScenarios are answers with status 200 that are not the expected page.
var wrongPageScenarios = []scenario{
	{
		name: "one node shows an error page with 200", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, tomcat", on: matchesAll(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, e-Bridge", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge"},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, shared", on: notSticky, plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, shared without a counter", on: matchesAll(notSticky, some),
		plan:  plan{policy: probes.PolicyShared, shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows nothing with 200", on: matchesAll(holdsAny, some), plan: plan{middleware: on2(blank)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows nothing with 200, shared", on: matchesAll(notSticky, some), plan: plan{profile: "tomcat-msm", shared: true, middleware: on2(blank)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node leads everybody to a login", on: matchesAll(holdsAny, some), plan: plan{middleware: on2(login)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "the balancer shows nothing with 200", on: matchesAll(holdsAny, some), plan: plan{},
		act:   func(r *rig) { r.serveFrom(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer leads everybody to a maintenance page", on: matchesAll(holdsAny, some), plan: plan{},
		act: func(r *rig) {
			mux := http.NewServeMux()
			mux.Handle("/maintenance", maintenance)
			mux.Handle("/", http.RedirectHandler("/maintenance", http.StatusFound))
			r.serveFrom(mux)
		},
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "every node shows an error page with 200", on: matchesAll(holdsAny, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(errorPage) },
		never: checks.Healthy, also: []checks.Code{checks.PageFailing, checks.SessionFailing},
	},
	{
		name: "the balancer shows a maintenance page with 200", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer shows a maintenance page with 200, tomcat", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer shows a maintenance page with 200, generic", on: matchesAll(holdsAny, some), plan: plan{},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "nginx shows a maintenance page with 200", on: named("nginx ip_hash", "nginx round robin", "nginx ip_hash, one address"),
		plan: plan{policy: probes.PolicyNone, front: frontPlan{
			locations: "location ~ . { default_type text/html; return 200 '<html><title>Maintenance</title>Back at noon</html>'; }",
		}},
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer shows a maintenance page with 200, no test page", on: some, plan: plan{profile: "huozige"},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "a page of the cluster that differs from node to node", on: some, plan: plan{profile: "tomcat-msm", shared: true, middleware: variableAnswers},
		is: checks.Healthy,
	},
}

// TestMaintenancePageLater tests that a page without a session is distinguished by its title from the one that
// the nodes give, once a round has seen theirs through the balancer.
func TestMaintenancePageLater(t *testing.T) {
	t.Parallel()
	r := newRig(t, fronts[slices.IndexFunc(fronts, named("nginx round robin"))], plan{profile: "huozige"})
	before := r.probe()
	if before.Verdict != checks.Healthy {
		t.Fatalf("got %s before: %v", before.Verdict, before.Findings)
	}
	r.serveFrom(maintenance)
	round := r.prober().Round(t.Context(), r.cluster)
	round.Past = before.Timelines
	i := slices.IndexFunc(checks.Judge(round).Findings, func(f checks.Finding) bool { return f.Code == checks.PageFailing })
	if i < 0 || checks.Judge(round).Findings[i].Severity != checks.Critical {
		t.Errorf("got %v, want page_failing", checks.Judge(round).Findings)
	}
}

func errorPage(f *demo.NodeFaults) { f.ErrorPage = true }

// maintenance answers every request in place of the nodes.
var maintenance = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>We are back at noon.</body></html>")
})

// on2 applies a middleware to node2 only.
func on2(middleware func(*demo.Node) http.Handler) func(*demo.Node) http.Handler {
	return func(n *demo.Node) http.Handler {
		if n.ID() == "node2" {
			return onlyPages(n, middleware(n))
		}
		return n
	}
}

// onlyPages leaves /status unchanged.
func onlyPages(n *demo.Node, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" {
			n.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// blank answers every page with status 200 and an empty body.
func blank(*demo.Node) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}

// variableAnswers makes every answer differ, which does not indicate another page.
func variableAnswers(n *demo.Node) http.Handler {
	return rewrite(n, func(_ http.Header, body []byte) []byte {
		return append(body, []byte("<!-- "+n.ID()+" answered at "+now()+" -->")...)
	})
}
