package lab

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/redis"
)

// System D: Huozige's cluster of two applications, each with its own port on two
// machines, behind one port of nginx.

func TestHuozige(t *testing.T) {
	for _, tc := range []struct {
		name       string
		act        func(*huozige)
		appA, appB scenario
	}{
		{name: "healthy", appA: scenario{is: checks.Healthy}, appB: scenario{is: checks.Healthy}},
		{
			name: "one application server down",
			act: func(h *huozige) {
				h.a[1].Stop()
				h.b[1].Stop()
			},
			appA: scenario{want: []string{"node_down/server2"}, is: checks.Degraded},
			appB: scenario{want: []string{"node_down/server2"}, is: checks.Degraded},
		},
		{
			name: "an application is being deployed",
			act: func(h *huozige) {
				h.a[1].Change(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
			},
			// nginx passes a 4xx on and does not count it: every other user gets it.
			appA: scenario{want: []string{"page_failing/server2"}, also: []checks.Code{checks.PageFailing}},
			appB: scenario{is: checks.Healthy},
		},
		{
			name: "both servers of one application down",
			act: func(h *huozige) {
				h.a[0].Stop()
				h.a[1].Stop()
			},
			appA: scenario{want: []string{"balancer_error", "node_down/server1", "node_down/server2"}, is: checks.Failing},
			appB: scenario{is: checks.Healthy},
		},
		{
			name: "versions differ",
			act:  func(h *huozige) { h.b[1].Change(func(f *demo.NodeFaults) { f.Version = "0.9.9" }) },
			appA: scenario{is: checks.Healthy},
			appB: scenario{want: []string{"version_skew"}},
		},
		{
			name: "a server's clock is wrong",
			act: func(h *huozige) {
				for _, n := range []*demo.Node{h.a[1], h.b[1]} {
					n.Change(func(f *demo.NodeFaults) { f.ClockOffset = time.Hour })
				}
			},
			appA: scenario{want: []string{"clock_skew"}, is: checks.Degraded},
			appB: scenario{want: []string{"clock_skew"}, is: checks.Degraded},
		},
		{
			name: "Redis down",
			act:  func(h *huozige) { h.redis.Stop() },
			appA: scenario{want: []string{"dependency_down/Redis"}, is: checks.Failing},
			appB: scenario{want: []string{"dependency_down/Redis"}, is: checks.Failing},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHuozige(t)
			if tc.act != nil {
				tc.act(h)
			}
			judgeScenario(t, tc.appA, h.probe("app_a"))
			judgeScenario(t, tc.appB, h.probe("app_b"))
		})
	}
}

// TestHuozigeClock checks that the true offset of a server's clock is within the
// reported bounds.
func TestHuozigeClock(t *testing.T) {
	t.Parallel()
	h := newHuozige(t)
	offsets := map[string]time.Duration{"server1": 0, "server2": -8 * time.Hour}
	h.a[1].Change(func(f *demo.NodeFaults) { f.ClockOffset = offsets["server2"] })
	report := h.probe("app_a")
	judgeScenario(t, scenario{want: []string{"clock_skew"}, is: checks.Degraded}, report)
	for _, n := range report.Nodes {
		if c, truth := n.Clock, offsets[n.Node]; c.Samples == 0 || c.Min > truth || c.Max < truth {
			t.Errorf("%s: got a clock that is off by %s to %s (%d samples), want bounds of %s", n.Node, c.Min, c.Max, c.Samples, truth)
		}
	}
}

// TestHuozigeDeploysWithoutEjection: a 4xx is never a failure for nginx.
func TestHuozigeDeploysWithoutEjection(t *testing.T) {
	t.Parallel()
	h := newHuozige(t)
	h.a[1].Change(func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
	h.visit("/app_a/", 100)
	h.a[1].Set(demo.NodeFaults{})
	if !h.reachesNode(h.a[1], 4) {
		t.Error("nginx has taken a node out for its 404s")
	}
	judgeScenario(t, scenario{is: checks.Healthy}, h.probe("app_a"))
}

// TestHuozigeEjects: thirty failed connections eject a node. The guide recommends a
// reload to readmit it; nginx does so by itself after fail_timeout.
func TestHuozigeEjects(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for nginx's fail_timeout of 20 s")
	}
	t.Parallel()
	h := newHuozige(t)
	h.a[1].Stop()
	h.visit("/app_a/", 80) // every other request is tried on the node first
	must.Succeed(t, h.a[1].Start())
	if h.reachesNode(h.a[1], 20) {
		t.Fatal("the node still gets requests after 30 failures")
	}
	// Pages identify no node: only the balancer's log shows the ejection.
	judgeScenario(t, scenario{is: checks.Healthy}, h.probe("app_a"))
	h.readsLog()
	report := h.probe("app_a")
	judgeScenario(t, scenario{want: []string{"node_ejected/server2"}}, report)
	wantEvidence(t, report, "by the balancer's evidence: nginx error log")

	deadline := time.Now().Add(time.Minute)
	for !h.reachesNode(h.a[1], 2) {
		if time.Now().After(deadline) {
			t.Fatal("the node is not taken back")
		}
		<-time.After(500 * time.Millisecond)
	}
	waitReadmitted(t, "server2", func() checks.Report { return h.probe("app_a") })
}

// reachesNode reports whether one of n further requests of users reaches a node.
func (h *huozige) reachesNode(node *demo.Node, n int) bool {
	const version = "met"
	old := node.Faults()
	node.Change(func(f *demo.NodeFaults) { f.Version = version })
	defer node.Set(old)
	return slices.Contains(h.visit("/app_a/", n), fmt.Sprintf("Version %s", version))
}

// A huozige is the cluster of Huozige's guide: server1 and server2, each with app_a and
// app_b, and the Redis with their sessions.
type huozige struct {
	tb     testing.TB
	a, b   []*demo.Node // by server
	redis  *Dependency
	nginx  *NginxBalancer
	url    string
	config *config.Config
}

// huozigeServer is the guide's server block, with an upstream per application. %[1]s is
// the listen address, the others are the servers of the two applications.
const huozigeServer = `
upstream hq-a-server {
	server %[2]s max_fails=30 fail_timeout=20s;
	server %[3]s max_fails=30 fail_timeout=20s;
}
upstream hq-b-server {
	server %[4]s max_fails=30 fail_timeout=20s;
	server %[5]s max_fails=30 fail_timeout=20s;
}
server {
	listen %[1]s;
	server_name hq.example;
	proxy_set_header Upgrade $http_upgrade;
	proxy_set_header Connection keep-alive;
	proxy_set_header Host $host;
	proxy_cache_bypass $http_upgrade;
	proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Real-IP $remote_addr;
	location ^~ /app_a/ {
		proxy_next_upstream error timeout invalid_header;
		proxy_send_timeout 5s;
		proxy_read_timeout 5s;
		proxy_pass http://hq-a-server/app_a/;
		proxy_redirect default;
	}
	location ^~ /app_b/ {
		proxy_next_upstream error timeout invalid_header;
		proxy_send_timeout 5s;
		proxy_read_timeout 5s;
		proxy_pass http://hq-b-server/app_b/;
		proxy_redirect default;
	}
}`

// huozigeFile is an operator's configuration: the profile, addresses, and the position of
// the version on a page.
const huozigeFile = `
clusters:
  - name: app_a
    profile: huozige
    balancer: {url: %[1]s/app_a}
    nodes:
      - {id: server1, url: %[2]s/app_a}
      - {id: server2, url: %[3]s/app_a}
    version: {regex: 'Version (\S+?)<'}
    dependencies: [{name: Redis, url: "%[6]s"}]
  - name: app_b
    profile: huozige
    balancer: {url: %[1]s/app_b}
    nodes:
      - {id: server1, url: %[4]s/app_b}
      - {id: server2, url: %[5]s/app_b}
    version: {regex: 'Version (\S+?)<'}
    dependencies: [{name: Redis, url: "%[6]s"}]
`

func newHuozige(tb testing.TB) *huozige {
	tb.Helper()
	h := &huozige{tb: tb, redis: Redis(tb)}
	for i := range 2 {
		h.a = append(h.a, h.node(i))
		h.b = append(h.b, h.node(i))
	}
	addr := FreeAddr(tb)
	h.nginx = Nginx(tb, NginxConfig{
		Servers:      []Server{{Addr: h.a[0].Addr()}}, // the lab's own server block, which is not used
		ExtraServers: fmt.Sprintf(huozigeServer, addr, h.a[0].Addr(), h.a[1].Addr(), h.b[0].Addr(), h.b[1].Addr()),
	})
	h.url = "http://" + addr
	file := fmt.Sprintf(huozigeFile, h.url, h.a[0].URL(), h.a[1].URL(), h.b[0].URL(), h.b[1].URL(), h.redis.URL())
	var err error
	if h.config, err = config.Parse("stickwatch.yml", []byte(file), func(string) (string, bool) { return "", false }); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *huozige) node(server int) *demo.Node {
	n, err := demo.StartNode(demo.NodeConfig{ID: fmt.Sprintf("server%d", server+1)})
	must.Succeed(h.tb, err)
	h.tb.Cleanup(n.Close)
	return n
}

// probe takes a round of one application and judges it.
func (h *huozige) probe(app string) checks.Report {
	at := slices.IndexFunc(h.config.Clusters, func(c *probes.Cluster) bool { return c.Name == app })
	p := monitor.Prober{Pingers: map[string]probes.Pinger{"redis": redis.Ping}}
	return checks.Judge(p.Round(h.tb.Context(), h.config.Clusters[at]))
}

var pageVersion = regexp.MustCompile(`Version [^<]*`)

// visit sends n requests of users, forty per second; it returns the version that each
// got, or "".
func (h *huozige) visit(path string, n int) []string {
	h.tb.Helper()
	user := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	tick := time.NewTicker(time.Second / 40)
	defer tick.Stop()
	var shown []string
	for range n {
		resp, err := user.Get(h.url + path)
		must.Succeed(h.tb, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		must.Succeed(h.tb, err)
		shown = append(shown, pageVersion.FindString(string(body)))
		<-tick.C
	}
	return shown
}
