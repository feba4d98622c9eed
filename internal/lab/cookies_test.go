package lab

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/cookies"
)

// cookieFronts are the formats in which real balancers write the node into a cookie.
var cookieFronts = []struct {
	name   string
	start  func(testing.TB, []Server) *Balancer
	opts   cookies.Options
	byName bool // the cookie contains the balancer's name of the node, not its address

	// lags: after a failover that the application does not notice, the cookie still
	// names the dead node although another one answers.
	lags bool
}{
	{
		name: "HAProxy insert", byName: true,
		start: haproxyCookie("SRV insert indirect nocache"),
	}, {
		name: "HAProxy insert with time stamps", byName: true,
		start: haproxyCookie("SRV insert indirect nocache maxidle 30m maxlife 8h"),
	}, {
		name: "HAProxy prefix", byName: true, lags: true,
		start: haproxyCookie("JSESSIONID prefix"),
	}, {
		name: "HAProxy rewrite", byName: true, lags: true,
		start: haproxyCookie("SERVERID rewrite"),
	}, {
		name: "HAProxy dynamic", opts: cookies.Options{Secret: "key"},
		start: haproxyDynamic("key"),
	}, {
		name: "HAProxy dynamic with a long key", opts: cookies.Options{Secret: longKey},
		start: haproxyDynamic(longKey),
	}, {
		name: "httpd", byName: true,
		start: apacheRouteID,
	}, {
		name:  "Caddy",
		start: caddyCookie("cookie"),
	}, {
		name: "Caddy with a secret", opts: cookies.Options{Cookie: "pin", Secret: longKey},
		start: caddyCookie("cookie pin " + longKey),
	},
}

const longKey = "a-key-of-more-than-thirty-two-bytes-for-all-of-the-hash"

// TestCookies checks that every cookie of a real balancer names the node that answered,
// and after its death the one that took over, except behind balancers that write only
// where the application does.
func TestCookies(t *testing.T) {
	t.Parallel()
	for _, f := range cookieFronts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := newCookieCluster(t, f.byName)
			balancer := f.start(t, c.servers)
			extractor := cookies.Extractor(c.known, f.opts)
			say := func(b *browser) string {
				node, _ := extractor.Extract(probes.Document{Cookies: b.cookies()})
				return node
			}
			browsers := c.meetAll(t, balancer.URL())
			for id, b := range browsers {
				for range 3 {
					if by := b.get(t); by != id || say(b) != id {
						t.Errorf("%q answers a client of %q, whose cookies say %q", by, id, say(b))
					}
				}
			}

			dead := nodeIDs[0]
			c.nodes[dead].Close()
			by := browsers[dead].get(t)
			for tries := 1; by == "" && tries < 5; tries++ {
				by = browsers[dead].get(t) // the balancer may have used a kept connection, which died with the previous node
			}
			got := say(browsers[dead])
			switch {
			case by == dead || by == "":
				t.Errorf("%q answers after the first is dead", by)
			case f.lags && got != dead:
				t.Errorf("the cookie says %q after a failover without the application's doing, want %q still", got, dead)
			case !f.lags && got != by:
				t.Errorf("%q answers, and the cookie says %q", by, got)
			}
		})
	}
}

// TestCookiesWithoutTheKey checks that a keyed hash without its key yields no node.
func TestCookiesWithoutTheKey(t *testing.T) {
	t.Parallel()
	c := newCookieCluster(t, false)
	b := newBrowser(t, haproxyDynamic("key")(t, c.servers).URL())
	b.get(t)
	for _, secret := range []string{"", "another"} {
		if got, ok := cookies.Extractor(c.known, cookies.Options{Secret: secret}).Extract(probes.Document{Cookies: b.cookies()}); ok {
			t.Errorf("with the key %q the cookies say %q, want no node", secret, got)
		}
	}
}

func haproxyCookie(directive string) func(testing.TB, []Server) *Balancer {
	return func(tb testing.TB, servers []Server) *Balancer {
		return HAProxy(tb, HAProxyConfig{Servers: servers, Cookie: directive, Observe: "layer4", Redispatch: true, Retries: 1}).Balancer
	}
}

// haproxyDynamic leaves out the servers' own cookie values, which would override the
// computed ones.
func haproxyDynamic(key string) func(testing.TB, []Server) *Balancer {
	return func(tb testing.TB, servers []Server) *Balancer {
		return HAProxy(tb, HAProxyConfig{
			Servers: servers, Observe: "layer4", Redispatch: true, Retries: 1,
			ExtraBackend: "    cookie SRV insert indirect nocache dynamic\n    dynamic-cookie-key " + key,
		}).Balancer
	}
}

// apacheRouteID uses the configuration that httpd's manual recommends for applications
// without a route. ProxySet is the last line of the balancer's block, so a directive
// may follow.
func apacheRouteID(tb testing.TB, servers []Server) *Balancer {
	const setCookie = `Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED`
	return Apache(tb, ApacheConfig{Servers: servers, StickySession: "ROUTEID", ProxySet: "\n    " + setCookie}).Balancer
}

func caddyCookie(policy string) func(testing.TB, []Server) *Balancer {
	return func(tb testing.TB, servers []Server) *Balancer {
		return Caddy(tb, CaddyConfig{Servers: servers, Policy: policy, FailDuration: time.Minute, Retries: 3}).Balancer
	}
}

// A cookieCluster is two nodes of an application that sets its cookies once, and
// accepts those of the other node.
type cookieCluster struct {
	nodes   map[string]*httptest.Server // by id
	servers []Server                    // servers of the balancer
	known   []cookies.Server            // servers in stickwatch's configuration
}

var nodeIDs = []string{"first", "second"}

// newCookieCluster starts the nodes. They are known either by name or by address, so
// that a cookie matches in only one way.
func newCookieCluster(tb testing.TB, byName bool) *cookieCluster {
	tb.Helper()
	c := &cookieCluster{nodes: map[string]*httptest.Server{}}
	names := []string{"tomcat1", "tomcat2"}
	for i, id := range nodeIDs {
		name := names[i]
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // so that the balancer does not find a dead node on a kept connection
			for _, own := range []string{"JSESSIONID", "SERVERID"} {
				if _, err := r.Cookie(own); err != nil {
					http.SetCookie(w, &http.Cookie{Name: own, Value: "0123456789ABCDEF", Path: "/"})
				}
			}
			io.WriteString(w, id)
		}))
		tb.Cleanup(node.Close)
		address := node.Listener.Addr().String()
		c.nodes[id] = node
		c.servers = append(c.servers, Server{Name: name, Addr: address})
		known := cookies.Server{ID: id, Address: address}
		if byName {
			known = cookies.Server{ID: id, Names: []string{name}}
		}
		c.known = append(c.known, known)
	}
	return c
}

// meetAll sends requests of new browsers until each node has answered one. Random
// balancers need a few.
func (c *cookieCluster) meetAll(tb testing.TB, url string) map[string]*browser {
	tb.Helper()
	browsers := map[string]*browser{}
	for range 100 {
		b := newBrowser(tb, url)
		browsers[b.get(tb)] = b
		if len(browsers) == len(c.nodes) {
			return browsers
		}
	}
	tb.Fatalf("only %d of %d nodes answered", len(browsers), len(c.nodes))
	return nil
}

// A browser opens a connection for each request.
type browser struct {
	client *http.Client
	page   *url.URL
}

func newBrowser(tb testing.TB, page string) *browser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	must.Succeed(tb, err)
	return &browser{&http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}, must.URL(page)}
}

// get returns the id of the node that answers.
func (b *browser) get(tb testing.TB) string {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, b.page.String(), nil)
	must.Succeed(tb, err)
	response, err := b.client.Do(request)
	must.Succeed(tb, err)
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64))
	must.Succeed(tb, err)
	if id := string(body); slices.Contains(nodeIDs, id) {
		return id
	}
	return ""
}

func (b *browser) cookies() map[string]string {
	held := map[string]string{}
	for _, c := range b.client.Jar.Cookies(b.page) {
		held[c.Name] = c.Value
	}
	return held
}
