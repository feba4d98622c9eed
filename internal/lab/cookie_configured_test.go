package lab

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"text/template"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// cookieFile is a configuration in which only the balancer's cookie identifies the
// node.
var cookieFile = template.Must(template.New("cookie").Parse(`
clusters:
  - name: shop
    balancer: {url: "{{.URL}}", method: cookie}
    nodes:
{{- range .Nodes}}
      - {id: "{{.ID}}", url: "{{.URL}}"{{with .Server}}, server: "{{.}}"{{end}}{{with .Label}}, label: "{{.}}"{{end}}}
{{- end}}
    status: {path: ""}
    session:
      path: /cluster/test
      policy: sticky
      node: {balancer_cookie: {{.Cookie}}{{with .Secret}}, secret: "{{.}}"{{end}}{{with .Backend}}, backend: "{{.}}"{{end}}}
      id: {cookie: SESSIONID}
`))

// configureCookie configures the rig's cluster by cookieFile. With byName, the nodes
// have the balancer's server names.
func (r *rig) configureCookie(cookie, secret, backend string, byName bool) {
	r.tb.Helper()
	type node struct{ ID, URL, Server, Label string }
	var nodes []node
	for i, n := range r.cluster.Nodes {
		entry := node{ID: "app" + n.ID, URL: n.URL.String()}
		if byName {
			entry.Server = r.nodes[i].ID()
		}
		nodes = append(nodes, entry)
	}
	var text strings.Builder
	err := cookieFile.Execute(&text, struct {
		URL, Cookie, Secret, Backend string
		Nodes                        []node
	}{r.front.URL(), cmp.Or(cookie, "auto"), secret, backend, nodes})
	must.Succeed(r.tb, err)
	cfg, err := config.Parse("stickwatch.yml", []byte(text.String()), os.LookupEnv)
	must.Succeed(r.tb, err)
	r.cluster = cfg.Clusters[0]
}

// sticksByCookie checks that clients stay, and that the node without clients is named.
func sticksByCookie(t *testing.T, r *rig, takeOut func()) {
	t.Helper()
	report := r.probe()
	judgeScenario(t, scenario{is: checks.Healthy}, report)
	if report.Session.Sticky != checks.Yes {
		t.Errorf("sticky: got %s: %s", report.Session.Sticky, report.Session.Reason)
	}
	for _, n := range report.Nodes {
		if n.InRotation != checks.Yes {
			t.Errorf("%s in rotation: got %s: %s", n.Node, n.InRotation, n.Rotation)
		}
	}
	takeOut()
	judgeScenario(t, scenario{want: []string{"node_ejected/appnode2"}}, r.probe())
}

// TestCookieNamesNode tests the cookies of real balancers.
func TestCookieNamesNode(t *testing.T) {
	for _, c := range cookieFronts {
		if c.lags {
			continue // it uses the application's cookie, which after a failover names another node
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := front{name: c.name, method: probes.MethodCookie, sticky: true, start: func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
				return c.start(tb, servers(tb, nodes, p))
			}}
			r := newRig(t, f, plan{})
			r.configureCookie(c.opts.Cookie, c.opts.Secret, "", c.byName)
			sticksByCookie(t, r, func() { r.eject("node2") })
		})
	}
}

// A cookieWriter is a balancer that writes the node into a cookie in the documented
// format of some product.
type cookieWriter struct {
	cookie  string
	servers []*httputil.ReverseProxy
	values  []string // cookie values by server
	next    atomic.Uint32
	without atomic.Int32 // the server that gets no requests; -1: none
	url     *url.URL
}

func (cw *cookieWriter) URL() string { return cw.url.String() }

// Stop does nothing: the server stops at the end of the test.
func (cw *cookieWriter) Stop() {}

func (cw *cookieWriter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := int(cw.without.Load())
	if c, err := r.Cookie(cw.cookie); err == nil {
		for i, value := range cw.values {
			if value == c.Value && i != out {
				cw.servers[i].ServeHTTP(w, r)
				return
			}
		}
	}
	i := int(cw.next.Add(1)) % len(cw.servers)
	if i == out {
		i = (i + 1) % len(cw.servers)
	}
	http.SetCookie(w, &http.Cookie{Name: cw.cookie, Value: cw.values[i], Path: "/", HttpOnly: true})
	cw.servers[i].ServeHTTP(w, r)
}

// cookieWriters are formats of products that cannot run in the lab.
var cookieWriters = []struct {
	name, cookie, backend string
	value                 func(addr string) string
}{
	{"nginx sticky, Tengine", "route", "", hexMD5},
	{"Traefik", "_traefik", "", func(addr string) string {
		sum := sha256.Sum256([]byte("http://" + addr))
		return hex.EncodeToString(sum[:8])
	}},
	{"ingress-nginx, persistent", "INGRESSCOOKIE", "default-shop-80", func(addr string) string {
		return hexMD5("default-shop-80"+addr) + "|5c0f6a1f2b9d4d0c"
	}},
	{"Envoy", "lbcookie", "", func(addr string) string { return base64.StdEncoding.EncodeToString([]byte(addr)) }},
	{"Envoy, newer", "lbcookie", "", func(addr string) string {
		return base64.StdEncoding.EncodeToString(append([]byte{1<<3 | 2, byte(len(addr))}, addr...))
	}},
	{"F5 BIG-IP", "BIGipServershop", "", bigIP},
}

func hexMD5(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// bigIP returns the address and the port with reversed bytes, in decimal.
func bigIP(addr string) string {
	a := netip.MustParseAddrPort(addr)
	ip := a.Addr().As4()
	return fmt.Sprintf("%d.%d.0000", binary.LittleEndian.Uint32(ip[:]), a.Port()>>8|a.Port()<<8)
}

// TestCookieOfOtherProducts tests the cookies of cookieWriters.
func TestCookieOfOtherProducts(t *testing.T) {
	for _, c := range cookieWriters {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &cookieWriter{cookie: c.cookie}
			f := front{name: c.name, method: probes.MethodCookie, sticky: true, start: func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
				for _, n := range nodes {
					addr := p.addr(n)
					s.servers = append(s.servers, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr}))
					s.values = append(s.values, c.value(addr))
				}
				s.without.Store(-1)
				s.url = serve(tb, s)
				return s
			}}
			r := newRig(t, f, plan{})
			r.configureCookie("", "", c.backend, false)
			sticksByCookie(t, r, func() { s.without.Store(1) })
		})
	}
}
