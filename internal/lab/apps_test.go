package lab

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
)

// An appFront is a kind of balancer in front of applications that are not demo nodes.
type appFront struct {
	name   string
	method probes.Method
	header bool // uses the client address that the prober presents
	start  func(testing.TB, []Server) string
}

var (
	appIPHash = appFront{"nginx ip_hash", probes.MethodIPHash, true, func(tb testing.TB, s []Server) string {
		return Nginx(tb, NginxConfig{Servers: s, Method: "ip_hash", RealIP: true}).URL()
	}}
	appRoundRobin = appFront{"nginx round robin", probes.MethodRoundRobin, false, func(tb testing.TB, s []Server) string {
		return Nginx(tb, NginxConfig{Servers: s}).URL()
	}}
	appHAProxyRoundRobin = appFront{"haproxy round robin", probes.MethodRoundRobin, false, func(tb testing.TB, s []Server) string {
		return HAProxy(tb, HAProxyConfig{Servers: s}).URL()
	}}
	appHTTPDByRequests = appFront{"apache byrequests", probes.MethodRoundRobin, false, func(tb testing.TB, s []Server) string {
		return Apache(tb, ApacheConfig{Servers: s}).URL()
	}}
	appCookie = appFront{"haproxy cookie", probes.MethodCookie, false, func(tb testing.TB, s []Server) string {
		return HAProxy(tb, HAProxyConfig{Servers: s, Cookie: "SRV insert indirect nocache"}).URL()
	}}
)

// An app is a cluster of applications with its configuration.
type app struct {
	tb      testing.TB
	nodes   []*Process
	cluster *probes.Cluster
}

// An appConfig configures an app.
type appConfig struct {
	policy   probes.Policy // "": sticky
	write    bool          // the page stores values in the session
	balancer []string      // URLs
	front    appFront
}

// newApp configures a cluster by a file, as an operator does.
func newApp(tb testing.TB, nodes []*Process, c appConfig) *app {
	tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "clusters:\n  - name: shop\n    balancer:\n      url: [%s]\n      method: %s\n", strings.Join(c.balancer, ", "), c.front.method)
	if c.front.header {
		fmt.Fprintf(&b, "      client_ip_header: %s\n", clientHeader)
	}
	b.WriteString("    nodes:\n")
	for i, n := range nodes {
		fmt.Fprintf(&b, "      - {id: %s, url: \"http://%s\"}\n", names[i], n.Addr())
	}
	fmt.Fprintf(&b, "    session:\n      path: /cluster/test\n      policy: %s\n      node: {jsonpath: $.node}\n      id: {jsonpath: $.sessionid}\n", cmp.Or(c.policy, probes.PolicySticky))
	if c.write {
		b.WriteString("      write: \"?set={value}\"\n      read: {jsonpath: $.value}\n")
	}
	cfg, err := config.Parse("stickwatch.yml", []byte(b.String()), os.LookupEnv)
	if err != nil {
		tb.Fatalf("%v\n%s", err, b.String())
	}
	return &app{tb: tb, nodes: nodes, cluster: cfg.Clusters[0]}
}

// behind starts a balancer in front of nodes, and configures the cluster.
func behind(tb testing.TB, nodes []*Process, c appConfig) *app {
	tb.Helper()
	c.balancer = []string{c.front.start(tb, processServers(nodes))}
	return newApp(tb, nodes, c)
}

func processServers(nodes []*Process) (list []Server) {
	for i, n := range nodes {
		list = append(list, Server{Name: names[i], Addr: n.Addr()})
	}
	return list
}

// probe takes a round with the default limits and judges it.
func (a *app) probe() checks.Report {
	ctx, cancel := context.WithTimeout(a.tb.Context(), roundTimeout)
	defer cancel()
	return checks.Judge((&monitor.Prober{Handshake: engineio.Handshake}).Round(ctx, a.cluster))
}

// expressNodes starts three Express nodes.
func expressNodes(tb testing.TB, env []string) (list []*Process) {
	tb.Helper()
	for _, name := range names[:3] {
		list = append(list, Express(tb, ExpressConfig{ID: name, Env: env}))
	}
	return list
}

// TestSessionsOpenedAnew: Express opens a new session for an unknown cookie and
// replaces the cookie, so that the owner node does not know the client when it returns.
// All losses are caused by drift.
func TestSessionsOpenedAnew(t *testing.T) {
	nodes := expressNodes(t, nil)
	for _, f := range []appFront{appRoundRobin, appHAProxyRoundRobin, appHTTPDByRequests} {
		for _, write := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/counter %v", f.name, write), func(t *testing.T) {
				t.Parallel()
				a := behind(t, nodes, appConfig{front: f, write: write})
				for range 5 { // the balancer chooses the order of nodes
					judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift}}, a.probe())
				}
			})
		}
	}
}

// TestExpressIsHealthy runs the same application behind sticky balancers.
func TestExpressIsHealthy(t *testing.T) {
	nodes := expressNodes(t, nil)
	for _, f := range []appFront{appIPHash, appCookie} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, nodes, appConfig{front: f, write: true})
			judgeScenario(t, scenario{is: checks.Healthy}, a.probe())
		})
	}
}

// TestCookiesThatBrowsersRefuse tests cookie attributes that a browser rejects, and an
// application that sets no cookie because it does not detect HTTPS at the balancer.
func TestCookiesThatBrowsersRefuse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		env      []string
		mentions []string
	}{
		{"SameSite=None without Secure", []string{"SAMESITE=none"}, []string{"SameSite=None", "Secure"}},
		{"__Host- without Secure", []string{"COOKIE=__Host-sid"}, []string{"__Host-", "Secure"}},
		{"__Secure- without Secure", []string{"COOKIE=__Secure-sid"}, []string{"__Secure-", "Secure"}},
		{"no cookie over HTTP", []string{"SECURE=1"}, []string{"X-Forwarded-Proto"}},
	} {
		nodes := expressNodes(t, tc.env)
		for _, f := range []appFront{appIPHash, appCookie} {
			t.Run(tc.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				a := behind(t, nodes, appConfig{front: f, write: true})
				judgeScenario(t, scenario{cause: cause{code: checks.CookieRejected, severity: anySeverity, mentions: tc.mentions}}, a.probe())
			})
		}
	}
}

// TestClockTokens tests tokens that another node rejects as expired, because its clock
// is ten minutes ahead.
func TestClockTokens(t *testing.T) {
	tokens := []string{"TOKENS=1", "COOKIE=token", "TTL=120"}
	right := expressNodes(t, tokens)
	clock := func(offset string) []*Process {
		return []*Process{right[0], Express(t, ExpressConfig{ID: names[1], Env: append(tokens, "CLOCK="+offset)}), right[2]}
	}
	ahead, behindTime := clock("600"), clock("-600")
	for _, tc := range []struct {
		name   string
		front  appFront
		policy probes.Policy
	}{
		{"shared", appRoundRobin, probes.PolicyShared},
		{"replicated", appCookie, probes.PolicyReplicated},
	} {
		t.Run(tc.name+"/"+tc.front.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, ahead, appConfig{front: tc.front, policy: tc.policy, write: true})
			judgeScenario(t, scenario{cause: cause{code: checks.ClockSkew, severity: anySeverity, mentions: []string{"node2"}}}, a.probe())
		})
		t.Run(tc.name+"/behind/"+tc.front.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, behindTime, appConfig{front: tc.front, policy: tc.policy, write: true})
			judgeScenario(t, scenario{cause: cause{code: checks.ClockSkew, severity: anySeverity, mentions: []string{"node2"}}}, a.probe())
		})
		t.Run(tc.name+"/clocks agree/"+tc.front.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, right, appConfig{front: tc.front, policy: tc.policy, write: true})
			judgeScenario(t, scenario{is: checks.Healthy}, a.probe())
		})
	}
}

// phpNodes starts three PHP nodes.
func phpNodes(tb testing.TB, c PHPConfig) (list []*Process) {
	tb.Helper()
	for _, name := range names[:3] {
		c.ID = name
		list = append(list, PHP(tb, c))
	}
	return list
}

// TestPHPAcceptsAnyID: each node keeps its own session files and opens a session under
// any id. That a node knows an id proves nothing there.
func TestPHPAcceptsAnyID(t *testing.T) {
	for _, tc := range []struct {
		front  appFront
		policy probes.Policy
	}{{appIPHash, probes.PolicyReplicated}, {appCookie, probes.PolicyReplicated}, {appRoundRobin, probes.PolicyShared}} {
		for _, write := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/counter %v", tc.front.name, write), func(t *testing.T) {
				t.Parallel()
				a := behind(t, phpNodes(t, PHPConfig{}), appConfig{front: tc.front, policy: tc.policy, write: write})
				s := scenario{apart: true, also: []checks.Code{checks.SessionNotShared}}
				if write {
					s.cause = cause{code: checks.SessionNotShared, severity: anySeverity}
				}
				judgeScenario(t, s, a.probe())
			})
		}
	}
}

// TestPHPRefusesUnknownIDs: with session.use_strict_mode the id shows that the nodes
// share no sessions.
func TestPHPRefusesUnknownIDs(t *testing.T) {
	for _, write := range []bool{false, true} {
		t.Run(fmt.Sprintf("counter %v", write), func(t *testing.T) {
			t.Parallel()
			a := behind(t, phpNodes(t, PHPConfig{Strict: true}), appConfig{front: appCookie, policy: probes.PolicyReplicated, write: write})
			judgeScenario(t, scenario{apart: true, want: []string{"session_not_shared"}}, a.probe())
		})
	}
}

// TestPHPSharesFiles runs the same nodes with a shared folder.
func TestPHPSharesFiles(t *testing.T) {
	for _, tc := range []struct {
		front  appFront
		policy probes.Policy
	}{{appCookie, probes.PolicyReplicated}, {appRoundRobin, probes.PolicyShared}} {
		t.Run(tc.front.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, phpNodes(t, PHPConfig{Files: t.TempDir()}), appConfig{front: tc.front, policy: tc.policy, write: true})
			report := a.probe()
			judgeScenario(t, scenario{is: checks.Healthy}, report)
			if report.Session.Shared != checks.Yes {
				t.Errorf("shared: got %s, want yes", report.Session.Shared)
			}
		})
	}
}

// TestPHPLocksTheSession: requests of a session wait for each other, 0.7 s each.
// Nothing is wrong.
func TestPHPLocksTheSession(t *testing.T) {
	for _, f := range []appFront{appIPHash, appCookie} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			a := behind(t, phpNodes(t, PHPConfig{Work: "700"}), appConfig{front: f, write: true})
			judgeScenario(t, scenario{is: checks.Healthy}, a.probe())
		})
	}
}

// jvmRoutes are balancers that use the route in Tomcat's session id.
var jvmRoutes = map[string]func(testing.TB, []*Tomcat) string{
	"apache": rollingFronts["apache"],
	"haproxy stick on JSESSIONID's route": func(tb testing.TB, tomcats []*Tomcat) string {
		c := HAProxyConfig{}
		for _, t := range tomcats {
			c.Servers = append(c.Servers, Server{Name: t.Name(), Addr: t.Addr()})
			c.ExtraBackend += fmt.Sprintf("    use-server %s if { req.cook(JSESSIONID) -m end .%s }\n", t.Name(), t.Name())
		}
		return HAProxy(tb, c).URL()
	},
}

// TestJVMRouteMissing runs Tomcats without a jvmRoute behind balancers that need it: no
// client stays on its node, and the remedy is to set it.
func TestJVMRouteMissing(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Routes: []string{"", ""}})
	for name, start := range jvmRoutes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &app{tb: t, cluster: tomcatCluster(t, tomcats, start(t, tomcats))}
			judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift, or: checks.SessionLost, mentions: []string{"jvmRoute"}}}, a.probe())
		})
	}
}

// TestTomcatCannotStore: replicating Tomcats reject values that cannot be serialised.
// Pages can be read, but nothing can be stored.
func TestTomcatCannotStore(t *testing.T) {
	t.Parallel()
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true, Unserialisable: true})
	a := &app{tb: t, cluster: tomcatCluster(t, tomcats, rollingFronts["apache"](t, tomcats))}
	judgeScenario(t, scenario{cause: cause{code: checks.SessionFailing, mentions: []string{"500", "written|stored|write|store"}}}, a.probe())
}

// TestWebSocketOnly: servers without polling need no stickiness, because a WebSocket
// stays on its node. Behind round robin nothing is wrong.
func TestWebSocketOnly(t *testing.T) {
	t.Parallel()
	var nodes []*Process
	for _, n := range SocketIO(t, SocketIOConfig{Transports: []string{"websocket"}}) {
		nodes = append(nodes, n.Process)
	}
	front := Nginx(t, NginxConfig{Servers: processServers(nodes), WebSocket: true})
	flags := config.Flags{Balancer: []string{front.URL()}, Profile: "huozige", Method: string(probes.MethodRoundRobin)}
	for i, n := range nodes {
		flags.Nodes = append(flags.Nodes, names[i]+"=http://"+n.Addr())
	}
	cfg, err := config.FromFlags(flags)
	must.Succeed(t, err)
	a := &app{tb: t, cluster: cfg.Clusters[0]}
	a.cluster.Pages = pagesAt("/status")
	a.cluster.Handshake = &probes.Handshake{Path: "/socket.io/"}
	judgeScenario(t, scenario{is: checks.Healthy}, a.probe())
}
