package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// System A: Weaver e-Bridge behind nginx with ip_hash and the server block of its
// cluster manual.

// TestEBridgeSessions tests sessions in each node's memory, and in both stores of the
// manual. With a store, stickiness is still judged, and the policy shared is met.
func TestEBridgeSessions(t *testing.T) {
	roundRobin := startNginx(NginxConfig{})
	for _, tc := range []struct {
		name  string
		store func(testing.TB) demo.Store
	}{
		{"memory", func(testing.TB) demo.Store { return nil }},
		{"mariadb", func(tb testing.TB) demo.Store { return newMariaDBStore(tb, MariaDB(tb)) }},
		{"redis", func(tb testing.TB) demo.Store { return newRedisStore(tb, Redis(tb)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := tc.store(t)
			for _, front := range []front{fromManual("error"), ebridgeFront()} {
				report := newRig(t, front, plan{profile: "ebridge", store: store}).probe()
				judgeScenario(t, scenario{is: checks.Healthy}, report)
				if report.Session.Sticky != checks.Yes {
					t.Errorf("%s: sticky: got %s: %s", front.name, report.Session.Sticky, report.Session.Reason)
				}
			}
			if store == nil {
				return
			}
			// "If ip_hash cannot be had, persist the sessions": any node may answer.
			front := front{name: "nginx round robin", method: probes.MethodRoundRobin, start: roundRobin}
			r := newRig(t, front, plan{profile: "ebridge", store: store, policy: probes.PolicyShared})
			judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
		})
	}
}

// TestEBridgeSeesOneNode: for the manual's nginx a prober is a single client. The
// report names the nodes that it cannot see, and how to change that.
func TestEBridgeSeesOneNode(t *testing.T) {
	t.Parallel()
	r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
	report := r.probe()
	judgeScenario(t, scenario{want: []string{"blind_spot"}, is: checks.Healthy}, report)
	for _, f := range report.Findings {
		if slices.Contains(f.Nodes, r.ourNode()) || len(f.Nodes) != 2 {
			t.Errorf("%v are reported as not visible, want all but %s", f.Nodes, r.ourNode())
		}
		if want := "set_real_ip_from 127.0.0.1; real_ip_header " + clientHeader; !strings.Contains(f.Remedy.String(), want) {
			t.Errorf("got remedy %q, want %q in it", f.Remedy, want)
		}
	}
}

// TestEBridgeStoreGone: nodes without their session store answer errors. The cause is
// the store, not the nodes.
func TestEBridgeStoreGone(t *testing.T) {
	t.Parallel()
	redis := Redis(t)
	r := newRig(t, fromManual("error"), plan{profile: "ebridge", store: newRedisStore(t, redis)})
	r.cluster.Dependencies = []probes.Dependency{{Name: "Redis", URL: must.URL(redis.URL())}}
	redis.Stop()
	report := r.probe()
	judgeScenario(t, scenario{
		want: []string{"dependency_down/Redis"},
		also: []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.BalancerError},
	}, report)
	redis.Start()
	judgeScenario(t, scenario{}, r.probe())
}

// TestEBridgeDefaultEjection: one failure ejects for ten seconds. A round within them must
// report it, a later round must not.
func TestEBridgeDefaultEjection(t *testing.T) {
	t.Run("any node, by a header", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, ebridgeFront(), plan{profile: "ebridge"})
		r.eject("node2")
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"node_ejected/node2"}}, report)
		wantEvidence(t, report, "ip_hash sends to it")
		waitReadmitted(t, "node2", func() checks.Report { return r.probe() })
	})
	t.Run("as in the manual, any node, by the log", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("warn"), plan{profile: "ebridge"})
		nginxLog(r.front.(ebridgeNginx).NginxBalancer, &r.cluster.Balancer.Evidence, t)
		other := r.cluster.Nodes[(1+slices.IndexFunc(r.cluster.Nodes, func(n probes.Node) bool { return n.ID == r.ourNode() }))%3].ID
		r.fail(other)
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"node_ejected/" + other}}, report)
		wantEvidence(t, report, "error log")
		waitReadmitted(t, other, func() checks.Report { return r.probe() })
	})
	t.Run("as in the manual, our node, by our own address", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
		w := r.startWatcher(monitor.Intervals{})
		owner := r.ourNode()
		r.fail(owner)
		w.FollowUp(t.Context())
		report := w.Snapshot().Report
		// The node is healthy when it is probed, and its client has lost its session.
		judgeScenario(t, scenario{want: []string{"node_ejected/" + owner}, also: []checks.Code{checks.SessionLost}}, report)
		wantEvidence(t, report, "ip_hash sends our own address to it")
		waitReadmitted(t, owner, func() checks.Report {
			w.FollowUp(t.Context())
			w.Refresh(t.Context(), monitor.Status) // as the schedule does: it ends what the node's return has cost
			return w.Snapshot().Report
		})
	})
	t.Run("as in the manual, and its log hides it", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
		nginxLog(r.front.(ebridgeNginx).NginxBalancer, &r.cluster.Balancer.Evidence, t)
		other := r.cluster.Nodes[(1+slices.IndexFunc(r.cluster.Nodes, func(n probes.Node) bool { return n.ID == r.ourNode() }))%3].ID
		r.fail(other)
		report := r.probe()
		judgeScenario(t, scenario{want: []string{"blind_spot"}, is: checks.Healthy}, report)
		for _, n := range report.Nodes {
			if want := checks.Unknown; n.Node == other && n.InRotation != want {
				t.Errorf("%s in rotation: got %s (%s), want %s: silence proves nothing", other, n.InRotation, n.Rotation, want)
			}
		}
	})
}

// wantEvidence checks that a source is in the evidence of an ejection.
func wantEvidence(t *testing.T, report checks.Report, evidenceReader string) {
	t.Helper()
	for _, f := range report.Findings {
		if text := evidenceOf(f); f.Code == checks.NodeEjected && !strings.Contains(text, evidenceReader) {
			t.Errorf("got evidence %q, want %q in it", f.Evidence, evidenceReader)
		}
	}
}

// waitReadmitted takes rounds until the cluster is healthy again: nginx sends one
// request when more than fail_timeout has passed. Until then the node is out, and
// nothing else may be found.
func waitReadmitted(t *testing.T, id string, look func() checks.Report) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		report := look()
		if report.Verdict == checks.Healthy {
			return
		}
		other := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool {
			return f.ExplainedBy == "" && f.Severity.AtLeast(checks.Warning) && f.Key() != "node_ejected/"+id
		})
		if other || time.Now().After(deadline) { // a round during the readmission may be inconclusive
			t.Fatalf("on the way back: %s", formatReport(report))
		}
		select {
		case <-t.Context().Done():
			t.Fatal("interrupted")
		case <-tick.C:
		}
	}
}

// TestEBridgeDuplicate: "the value of nodeId must be unique".
func TestEBridgeDuplicate(t *testing.T) {
	t.Parallel()
	r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
	r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" })
	judgeScenario(t, scenario{want: []string{"duplicate_node_id"}}, r.probe())
}

// ebridgeServer is the nginx.conf of e-Bridge's cluster manual except for the
// addresses: no max_fails, so that one failure ejects for ten seconds; no zone; and no
// way for a prober to act as another client. %[1]s is the listen address, %[2]s are the
// server lines.
const ebridgeServer = `
upstream ebridge-cluster {
    ip_hash;
%[2]s}
server {
    listen        %[1]s;
    server_name  localhost;
    location / {
        root   html;
        index  index.html index.htm;
        proxy_pass http://ebridge-cluster;
        proxy_set_header Host $host:$server_port;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
}`

// An ebridgeNginx is an nginx with the manual's server block.
type ebridgeNginx struct {
	*NginxBalancer
	addr string
}

func (n ebridgeNginx) URL() string { return "http://" + n.addr }

// fromManual starts the manual's nginx in front of the nodes, with an error log of the
// given level.
func fromManual(level string) front {
	return front{
		name: "e-Bridge's nginx", method: probes.MethodIPHash, sticky: true, narrow: true,
		start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
			var servers strings.Builder
			for _, n := range nodes {
				fmt.Fprintf(&servers, "    server %s;\n", n.Addr())
			}
			addr := FreeAddr(tb)
			n := Nginx(tb, NginxConfig{
				Servers:       []Server{{Addr: nodes[0].Addr()}}, // the lab's own server block, which is not used
				ErrorLogLevel: level,
				ExtraServers:  fmt.Sprintf(ebridgeServer, addr, servers.String()),
			})
			// The first address accepts connections a moment before the second.
			must.Succeed(tb, poll(tb.Context(), nil, func(ctx context.Context) error { return dial(ctx, addr) }))
			return ebridgeNginx{n, addr}
		},
	}
}

// ebridgeFront is the manual's nginx with a client address header.
func ebridgeFront() front {
	return front{
		name: "e-Bridge's nginx, with a header", method: probes.MethodIPHash, header: true, sticky: true,
		start: func(tb testing.TB, nodes []*demo.Node, _ plan) frontend {
			c := NginxConfig{Method: "ip_hash", RealIP: true, Zone: true}
			for _, n := range nodes {
				c.Servers = append(c.Servers, Server{Addr: n.Addr()})
			}
			return Nginx(tb, c)
		},
	}
}

// ourNode returns the node that the balancer's hash assigns to clients of this machine.
func (r *rig) ourNode() string {
	r.tb.Helper()
	picker, _ := checks.Oracle(r.cluster)
	at, ok := picker.Pick("127.0.0.1")
	if !ok {
		r.tb.Fatal("there is no arithmetic")
	}
	return r.cluster.Nodes[at].ID
}

// fail stops a node for one request of a user whom the balancer's hash assigns to it:
// one from another network of 127.0.0.0/8, all of which is loopback.
func (r *rig) fail(id string) {
	r.tb.Helper()
	picker, _ := checks.Oracle(r.cluster)
	for network := range byte(255) {
		user := netip.AddrFrom4([4]byte{127, 0, network, 1})
		if at, _ := picker.Pick(user.String()); r.cluster.Nodes[at].ID != id {
			continue
		}
		r.stop(id)
		r.getFrom(user)
		r.start(id)
		return
	}
	r.tb.Fatalf("no client is sent to %s", id)
}

// getFrom sends a user's request from an address of this machine.
func (r *rig) getFrom(user netip.Addr) {
	r.tb.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(user, 0))}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
	resp, err := client.Get(r.front.URL() + "/")
	must.Succeed(r.tb, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.tb.Fatalf("the user got %s, and not another node's answer", resp.Status)
	}
}
