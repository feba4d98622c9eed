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
