package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net"
	"net/http"
	"strconv"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// A page is the data of the templates.
type page struct {
	sessionRequest
	Node    string
	Version string
	Charset string
	Path    string
	Host    string // Host header of the request
	Port    string
}

func (n *Node) page(r *http.Request, v sessionRequest) page {
	p := page{sessionRequest: v, Node: n.id(), Version: n.version(), Charset: "UTF-8", Path: r.URL.Path}
	var err error
	if p.Host, p.Port, err = net.SplitHostPort(r.Host); err != nil {
		p.Host, p.Port = r.Host, "80"
	}
	return p
}

// serveTest serves the generic session test page.
func (n *Node) serveTest(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "test.html", sessionCookie{cookie: n.config.Cookie, path: "/"})
}

// serveEBridge serves the page of Weaver e-Bridge's cluster manual, section 7, which
// names its two labels.
func (n *Node) serveEBridge(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "ebridge.html", sessionCookie{cookie: "JSESSIONID", path: "/"})
}

// serveTomcat serves a page of a context that Tomcat replicates. A known session with
// another node's route gets this node's route, as from Tomcat's JvmRouteBinderValve.
func (n *Node) serveTomcat(w http.ResponseWriter, r *http.Request) {
	n.servePage(w, r, "tomcat.html", sessionCookie{cookie: "JSESSIONID", path: "/cluster", suffix: "." + n.id()})
}

// serveMSM serves the usual test page of memcached-session-manager. The id contains the
// memcached node that has the session, and the Tomcat.
func (n *Node) serveMSM(w http.ResponseWriter, r *http.Request) {
	suffix := "-" + n.config.Memcached(r.Context()) + "." + n.id()
	n.servePage(w, r, "msm.html", sessionCookie{cookie: "JSESSIONID", path: "/", suffix: suffix})
}

// servePlain serves a page without a session.
func (n *Node) servePlain(w http.ResponseWriter, r *http.Request) {
	n.render(w, "plain.html", n.page(r, sessionRequest{}))
}

// servePage serves a page with the client's session.
func (n *Node) servePage(w http.ResponseWriter, r *http.Request, name string, k sessionCookie) {
	w.Header().Set("Cache-Control", "no-store")
	if n.refuse(w, r, k) {
		return
	}
	v, err := n.openSession(w, r, k)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p := n.page(r, v)
	if n.config.GBK && name == "ebridge.html" {
		p.Charset = "GBK"
	}
	n.render(w, name, p)
}

func (n *Node) render(w http.ResponseWriter, name string, p page) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body := buf.Bytes()
	if p.Charset == "GBK" {
		body = encodeGBK(body)
	}
	w.Header().Set("Content-Type", "text/html; charset="+p.Charset)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}
