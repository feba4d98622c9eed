package lab

import (
	"io"
	"net/http"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// wrongPageScenarios are answers with status 200 that are not the expected page.
var wrongPageScenarios = []scenario{
	{
		name: "one node shows an error page with 200", on: both(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, tomcat", on: both(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, e-Bridge", on: both(holdsAny, some), plan: plan{profile: "ebridge"},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, shared", on: notSticky, plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows an error page with 200, shared without a counter", on: both(notSticky, some),
		plan:  plan{policy: probes.PolicyShared, shared: true},
		act:   func(r *rig) { r.change("node2", errorPage) },
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows nothing with 200", on: both(holdsAny, some), plan: plan{middleware: on2(blank)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node shows nothing with 200, shared", on: both(notSticky, some), plan: plan{profile: "tomcat-msm", shared: true, middleware: on2(blank)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "one node leads everybody to a login", on: both(holdsAny, some), plan: plan{middleware: on2(login)},
		cause: cause{code: checks.PageFailing, severity: anySeverity, nodes: []string{"node2"}},
	},
	{
		name: "the balancer shows nothing with 200", on: both(holdsAny, some), plan: plan{},
		act:   func(r *rig) { r.serveFrom(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer leads everybody to a maintenance page", on: both(holdsAny, some), plan: plan{},
		act: func(r *rig) {
			mux := http.NewServeMux()
			mux.Handle("/maintenance", maintenance)
			mux.Handle("/", http.RedirectHandler("/maintenance", http.StatusFound))
			r.serveFrom(mux)
		},
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "every node shows an error page with 200", on: both(holdsAny, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(errorPage) },
		never: checks.Healthy, also: []checks.Code{checks.PageFailing, checks.SessionFailing},
	},
	{
		name: "the balancer shows a maintenance page with 200", on: some, plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer shows a maintenance page with 200, tomcat", on: both(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.serveFrom(maintenance) },
		cause: cause{code: checks.PageFailing, mentions: []string{"no node"}},
	},
	{
		name: "the balancer shows a maintenance page with 200, generic", on: both(holdsAny, some), plan: plan{},
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
