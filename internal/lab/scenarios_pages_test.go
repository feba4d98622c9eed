package lab

import (
	"bytes"
	"compress/gzip"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// pageScenarios are what goes wrong with single pages, and pages that are only unusual.
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
		name: "the test page fails on one node", on: both(holdsAny, some), plan: plan{profile: "generic"},
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
		name: "the test page asks for a login", on: both(holdsAny, some), plan: plan{profile: "ebridge", middleware: login},
		is: checks.Inconclusive,
	},
	{
		name: "the page tells no node", on: both(holdsAny, some), plan: plan{profile: "ebridge", middleware: noSessionShown},
		is: checks.Inconclusive, doubt: "do not show which node",
	},
	{
		name: "pages are compressed", on: both(holdsAny, some), plan: plan{profile: "ebridge", middleware: compress}, is: checks.Healthy,
	},
	{
		name: "pages are in GBK", on: both(holdsAny, some), plan: plan{profile: "ebridge", gbk: true}, is: checks.Healthy,
	},
	{
		name: "pages of 900 KB", on: both(holdsAny, some), plan: plan{profile: "ebridge", middleware: padPages}, is: checks.Healthy,
	},
	{
		name: "all below a path", on: both(holdsAny, some), plan: plan{profile: "ebridge", prefix: "/portal", middleware: below("/portal")}, is: checks.Healthy,
	},
}

func pagesAt(paths ...string) []probes.Page {
	var list []probes.Page
	for _, p := range paths {
		list = append(list, probes.Page{Path: p, Want: probes.StatusRange{From: 200, To: 399}})
	}
	return list
}

// login sends whoever has not logged in to a form.
func login(n *demo.Node) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/login", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<html><form>User <input name=user> Password <input type=password name=word></form></html>"))
	}))
	mux.Handle("/", http.RedirectHandler("/login", http.StatusFound))
	return mux
}

// noSessionShown keeps the session, and shows nothing.
func noSessionShown(n *demo.Node) http.Handler {
	return rewrite(n, func(http.Header, []byte) []byte { return []byte("<html>Welcome</html>") })
}

// noCookie keeps the session's cookie to itself.
func noCookie(n *demo.Node) http.Handler {
	return rewrite(n, func(h http.Header, body []byte) []byte {
		h.Del("Set-Cookie")
		return body
	})
}

// padPages makes every page long, and has what matters at its end.
func padPages(n *demo.Node) http.Handler {
	return rewrite(n, func(_ http.Header, body []byte) []byte {
		comment := "<!-- " + strings.Repeat("padding ", 900<<10/8) + "-->"
		return bytes.Replace(body, []byte("<body>"), []byte("<body>"+comment), 1)
	})
}

// compress serves gzip to whoever takes it.
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

// rewrite changes what a node answers.
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
