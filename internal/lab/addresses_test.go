package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/internal/users"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// secondAddress adds a second balancer as another address of the rig's cluster.
func (r *rig) secondAddress(c NginxConfig, order ...int) string {
	r.tb.Helper()
	c.Servers = servers(r.tb, inAnOrder(r.nodes, order), plan{})
	second := Nginx(r.tb, c)
	r.cluster.Balancer.URLs = append(r.cluster.Balancer.URLs, must.URL(second.URL()))
	return second.Addr()
}

func inAnOrder(nodes []*demo.Node, order []int) (list []*demo.Node) {
	if len(order) == 0 {
		return nodes
	}
	for _, i := range order {
		list = append(list, nodes[i])
	}
	return list
}

// TestOneAddressScatters runs two balancers, one of them without a method. The finding
// names the address at which clients do not stay.
func TestOneAddressScatters(t *testing.T) {
	for _, profile := range []string{"generic", "ebridge", "tomcat"} {
		for _, f := range fronts {
			if !named("nginx ip_hash", "nginx hash", "nginx hash consistent")(f) {
				continue
			}
			t.Run(profile+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, f, plan{profile: profile, policy: probes.PolicySticky})
				second := r.secondAddress(NginxConfig{RealIP: true})
				judgeScenario(t, scenario{cause: cause{code: checks.SessionDrift, mentions: []string{second}}}, r.probe())
			})
		}
	}
}

// TestAddressesInAnotherOrder runs two balancers that list the nodes in a different
// order. Each is correct on its own, and a zone would not help.
func TestAddressesInAnotherOrder(t *testing.T) {
	for _, profile := range []string{"generic", "ebridge", "tomcat"} {
		for _, name := range []string{"nginx ip_hash", "nginx hash"} {
			t.Run(profile+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := fronts[slices.IndexFunc(fronts, named(name))]
				r := newRig(t, f, plan{profile: profile, policy: probes.PolicySticky})
				r.secondAddress(NginxConfig{RealIP: true, Method: methodOf(f)}, 2, 0, 1)
				judgeScenario(t, scenario{cause: cause{
					code: checks.BalancerSplit, severity: checks.Warning, mentions: []string{"order"}, omits: []string{"zone"},
				}}, r.probe())
			})
		}
	}
}

// TestAddressesInOneOrder runs two balancers with the same list.
func TestAddressesInOneOrder(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{})
	r.secondAddress(NginxConfig{RealIP: true, Method: "ip_hash"})
	judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
}

// TestAddressesDisagree runs two balancers that are each correct, but do not send the client of
// the other one to its node. A client that DNS or a failover of the balancer leads from one to
// the other loses its session, unless the nodes share sessions.
func TestAddressesDisagree(t *testing.T) {
	apart := cause{code: checks.BalancerSplit, severity: checks.Warning, mentions: []string{"cookie", "not know"}, omits: []string{"zone"}}
	for _, c := range []struct {
		name, cookie, balance string
		shift                 int // of the servers' cookie values, at the second address
		plan                  plan
		want                  scenario
	}{
		{name: "other values", cookie: "SRV insert indirect nocache", shift: 1, want: scenario{cause: apart}},
		{name: "another name", cookie: "NODE insert indirect nocache", want: scenario{cause: apart}},
		{name: "other values, replicated", cookie: "SRV insert indirect nocache", shift: 1, plan: plan{profile: "tomcat", shared: true}, want: scenario{cause: cause{
			code: checks.BalancerSplit, severity: checks.Warning, mentions: []string{"cookie"}, omits: []string{"lost", "zone"},
		}}},
		{name: "other values, shared", cookie: "SRV insert indirect nocache", shift: 1, plan: plan{policy: probes.PolicyShared, shared: true}, want: scenario{is: checks.Healthy}},
		{name: "they agree", cookie: "SRV insert indirect nocache", want: scenario{is: checks.Healthy}},
		{name: "they agree, another algorithm", cookie: "SRV insert indirect nocache", balance: "leastconn", want: scenario{is: checks.Healthy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, fronts[slices.IndexFunc(fronts, named("haproxy cookie"))], c.plan)
			list := servers(t, r.nodes, plan{})
			for i := range list {
				list[i].Name = names[(i+c.shift)%len(list)]
			}
			second := HAProxy(t, HAProxyConfig{Servers: list, Cookie: c.cookie, Balance: c.balance})
			r.cluster.Balancer.URLs = append(r.cluster.Balancer.URLs, must.URL(second.URL()))
			if c.plan.profile == "" {
				harmed := c.want.cause.code != ""
				if lost := lostByMoving(t, r.front.URL(), second.Addr()); (lost > 0) != harmed {
					t.Errorf("%d users lost their sessions at the other address, want some %v", lost, harmed)
				}
			}
			report := r.probe()
			for range 20 { // chance may send a client without a cookie to its own node
				if c.want.cause.code == "" || found(report, c.want.cause.code) {
					break
				}
				report = r.probe()
			}
			judgeScenario(t, c.want, report)
		})
	}
}

// lostByMoving returns how many of twelve users lose their session when all of them are led from
// one address of a balancer to another.
func lostByMoving(t *testing.T, url, second string) int {
	t.Helper()
	var led atomic.Bool
	population := users.New(users.Config{
		URL: url, Users: 12, Pacings: []users.Pacing{{Every: 50 * time.Millisecond}},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if led.Load() {
				addr = second
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		population.Run(ctx)
	}()
	each := func(requests int) {
		deadline := time.Now().Add(time.Minute)
		for done := 0; done < 12; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of 12 users have sent %d requests", done, requests)
			}
			count := make(map[int]int)
			for _, q := range population.Log().Requests() {
				count[q.User]++
			}
			done = 0
			for _, n := range count {
				if n >= requests {
					done++
				}
			}
		}
	}
	each(3)
	led.Store(true)
	each(3 + 3 + len(population.Log().Requests())/12)
	cancel()
	<-ended
	lost := make(map[int]bool)
	for _, q := range population.Log().Requests() {
		if q.Outcome == users.Lost {
			lost[q.User] = true
		}
	}
	return len(lost)
}

// methodOf returns the nginx directive for the method of a front.
func methodOf(f front) string {
	if f.method == probes.MethodIPHash {
		return "ip_hash"
	}
	return "hash $remote_addr"
}

// TestSplit: nginx without a zone, one of whose workers has ejected a node. The kernel
// chooses the worker of a connection, so a round may miss it; a round that sees it must
// report it, and one of many must see it.
func TestSplit(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{front: frontPlan{workers: 4}})
	picker, _ := checks.Oracle(r.cluster)
	client, _ := balance.ClientFor(picker, 1, 7)
	r.node("node2").Stop()
	r.get(client.String())
	must.Succeed(t, r.node("node2").Start())
	for range 50 {
		report := r.probe()
		if found(report, checks.BalancerSplit) {
			judgeScenario(t, scenario{want: []string{"balancer_split"}, also: []checks.Code{checks.NodeEjected}}, report)
			return
		}
		if report.Session.Sticky == checks.No {
			t.Fatalf("sessions moved, and no split was named: %s", formatReport(report))
		}
	}
	t.Error("no round of 50 saw that the workers disagree")
}

// TestTwoFrontends: two balancers, one of which has ejected a node. The same client
// gets different nodes, depending on the address.
func TestTwoFrontends(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{})
	second := f.start(t, r.nodes, plan{front: frontPlan{down: "node2"}})
	r.cluster.Balancer.URLs = append(r.cluster.Balancer.URLs, must.URL(second.URL()))
	judgeScenario(t, scenario{want: []string{"balancer_split", "node_ejected/node2"}}, r.probe())
}

// TestHeaderIgnored: the configuration says that the balancer takes the client address
// from a header, but it does not. Nothing is ejected; two nodes cannot be seen, and the
// remedy is reported.
func TestHeaderIgnored(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash, one address"))]
	r := newRig(t, f, plan{})
	r.cluster.Balancer.ClientIPHeader = clientHeader
	report := r.probe()
	judgeScenario(t, scenario{want: []string{"blind_spot"}}, report)
	for _, f := range report.Findings {
		if want := "set_real_ip_from 127.0.0.1; real_ip_header " + clientHeader; !strings.Contains(f.Remedy.String(), want) {
			t.Errorf("got remedy %q, want one with %q", f.Remedy, want)
		}
	}
}

// TestMisspeltRoute: httpd knows a Tomcat by a wrong route, so its clients are not
// sticky. byrequests then compensates by giving them their own node again: a round may
// take that for stickiness, and one of many must not.
func TestMisspeltRoute(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("apache sticky"))]
	r := newRig(t, f, plan{profile: "tomcat", shared: true, front: frontPlan{misnamed: "node2"}})
	for range 50 {
		if r.probe().Session.Sticky == checks.No {
			return
		}
	}
	t.Error("no round of 50 saw that the clients of one node are not held")
}

// TestRouteOfOther: two servers of HAProxy have one cookie value. The first of them gets the second request
// of each client of the other.
func TestRouteOfOther(t *testing.T) {
	t.Parallel()
	f := front{name: "haproxy", method: probes.MethodCookie, sticky: true, start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
		var lines strings.Builder
		for i, value := range []string{"web", "web", "web3"} {
			fmt.Fprintf(&lines, "    server node%d %s cookie %s\n", i+1, nodes[i].Addr(), value)
		}
		return HAProxy(tb, HAProxyConfig{Cookie: "SRV insert indirect nocache", ExtraBackend: lines.String()})
	}}
	report := newRig(t, f, plan{profile: "tomcat"}).probe()
	i := slices.IndexFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionDrift })
	if i < 0 {
		t.Fatalf("got %s and findings %v, want session_drift", report.Verdict, report.Findings)
	}
	if f := report.Findings[i]; !slices.Equal(f.Nodes, []string{"node2"}) || f.Severity != checks.Critical || f.Remedy.ID != checks.MsgRouteOfOther {
		t.Errorf("got %s of %q with remedy %q", f.Severity, f.Nodes, f.Remedy)
	}
}

// TestIPv6 tests a balancer's address with brackets.
func TestIPv6(t *testing.T) {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("there is no IPv6 here: %v", err)
	}
	f := fronts[slices.IndexFunc(fronts, named("nginx round robin"))]
	r := newRig(t, f, plan{profile: "tomcat-msm", shared: true})
	server := &http.Server{Handler: httputil.NewSingleHostReverseProxy(must.URL(r.front.URL()))}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	r.cluster.Balancer.URLs[0] = must.URL("http://" + listener.Addr().String())
	judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
}
