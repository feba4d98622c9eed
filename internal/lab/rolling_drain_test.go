package lab

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/gate"
	"stickwatch/internal/gate/watch"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A drainable is a balancer that can drain tomcat1.
type drainable struct {
	url      string
	evidence func(*probes.Cluster)
	drain    func() // no new clients; existing clients stay
	remove   func() // no requests
	restore  func()
}

var drainables = map[string]func(*testing.T, []*Tomcat) drainable{
	"haproxy": func(t *testing.T, tomcats []*Tomcat) drainable {
		front := HAProxyConfig{Cookie: "SRV insert indirect nocache", CheckPath: testPage, Redispatch: true, Retries: 1, Admin: true}
		for _, t := range tomcats {
			front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.Addr()})
		}
		h := HAProxy(t, front)
		state := func(state string) func() {
			return func() { h.AdminCommand(t, "set server cluster/tomcat1 state "+state) }
		}
		return drainable{
			h.URL(), func(c *probes.Cluster) { c.Balancer.Evidence.HAProxyStats = must.URL(h.StatsURL()) },
			state("drain"), state("maint"), state("ready"),
		}
	},
	"apache": func(t *testing.T, tomcats []*Tomcat) drainable {
		front := apacheSticky
		for _, t := range tomcats {
			front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.AJP(), FailTimeout: time.Second})
		}
		a := Apache(t, front)
		set := func(status, value string) { setWorkerStatus(t, a, "ajp://"+tomcats[0].AJP(), status, value) }
		return drainable{
			a.URL(), func(c *probes.Cluster) { c.Balancer.Evidence.ApacheBalancerManager = must.URL(a.ManagerURL()) },
			func() { set("N", "1") },
			func() { set("D", "1") },
			func() { set("D", "0"); set("N", "0") },
		}
	},
}

var nonce = regexp.MustCompile(`nonce=([0-9a-f-]+)`)

// setWorkerStatus sets a status of a worker through httpd's balancer manager.
func setWorkerStatus(t *testing.T, a *ApacheBalancer, worker, status, value string) {
	t.Helper()
	send := func(method, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, a.ManagerURL(), strings.NewReader(body))
		must.Succeed(t, err)
		req.Header.Set("Referer", a.ManagerURL())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		must.Succeed(t, err)
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("managing httpd's balancer: got %s, %v", resp.Status, err)
		}
		return string(page)
	}
	found := nonce.FindStringSubmatch(send(http.MethodGet, ""))
	if found == nil {
		t.Fatal("httpd's balancer manager shows no nonce")
	}
	send(http.MethodPost, url.Values{
		"b": {"cluster"}, "w": {worker}, "nonce": {found[1]}, "w_status_" + status: {value},
	}.Encode())
}

// TestGracefulDrain: a node that is drained, stopped, started and added again loses no
// session, and the report confirms it.
func TestGracefulDrain(t *testing.T) {
	for name, start := range drainables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
			front := start(t, tomcats)
			d := watchTomcats(t, tomcats, front.url, gate.Limits{Drain: "tomcat1"}, front.evidence)
			front.drain()
			d.until("new clients avoid it", func(r gate.Report) bool {
				return guarantee(t, r, "new clients avoid tomcat1").Kept == checks.Yes
			})
			if r := d.report(); r.Moved > 0 {
				t.Errorf("got %v, want sessions to stay while their node is drained", r.Moves)
			}
			front.remove()
			d.until("its session moves", func(r gate.Report) bool { return r.Moved > 0 })
			tomcats[0].Stop()
			tomcats[0].Start()
			awaitReplication(t, tomcats)
			front.restore()
			back := time.Now()
			d.until("it gets new clients", func(r gate.Report) bool { return met(r, "tomcat1", back) })
			r := d.end()
			for _, p := range r.Guarantees {
				if p.Kept != checks.Yes {
					t.Errorf("%s: got %s, want yes: %q", p.Name, p.Kept, p.Reasons)
				}
			}
			if m := r.Moves[0]; m.Cause != gate.CauseDrain || !m.Kept() {
				t.Errorf("got %+v, want a drain, and a session that was kept", m)
			}
			if r.Failed > 0 || r.Verdict() != checks.Healthy {
				t.Errorf("got %s, %d failed, doubts %q, want healthy and none", r.Verdict(), r.Failed, r.Doubts)
			}
		})
	}
}

// An nginxCluster is three demo nodes behind an nginx whose configuration a test can
// change.
type nginxCluster struct {
	*rig
	nginx  *NginxBalancer
	config NginxConfig
}

func newNginxCluster(t *testing.T, c NginxConfig, failTimeout time.Duration) *nginxCluster {
	t.Helper()
	n := new(nginxCluster)
	method := probes.MethodRoundRobin
	if c.Method == "ip_hash" {
		method = probes.MethodIPHash
	}
	f := front{name: "nginx " + c.Method, method: method, header: c.RealIP, start: func(tb testing.TB, nodes []*demo.Node, p plan) frontend {
		c.Servers = servers(tb, nodes, p)
		n.config, n.nginx = c, Nginx(tb, c)
		return n.nginx
	}}
	n.rig = newRig(t, f, plan{profile: "ebridge", front: frontPlan{failTimeout: failTimeout}})
	n.cluster.Balancer.FailTimeout = failTimeout
	n.cluster.Balancer.Evidence.NginxErrorLog = n.nginx.ErrorLog()
	return n
}

// watchDeployment starts to watch the cluster.
func (n *nginxCluster) watchDeployment(t *testing.T, limits gate.Limits) *deployment {
	t.Helper()
	d := &deployment{t: t, cluster: n.cluster, limits: limits}
	d.watch = watch.Start(t.Context(), d.cluster, watch.Config{Interval: 100 * time.Millisecond})
	return d
}

// markDown takes a node out as an operator does: with `down` and a reload.
func (n *nginxCluster) markDown(id string) {
	n.tb.Helper()
	c := n.config
	c.Servers = slices.Clone(c.Servers)
	c.Servers[slices.Index(names, id)].Down = true
	n.nginx.Reload(c)
}

// TestRollingRestartNginxWorkers is a rolling restart behind an nginx whose workers
// each have their own state. A worker keeps a restarted node ejected for fail_timeout,
// while another may use it: the moves back and forth and their losses are attributed to
// the restarts, whichever node the clients went to.
func TestRollingRestartNginxWorkers(t *testing.T) {
	const failTimeout = 6 * time.Second
	n := newNginxCluster(t, NginxConfig{Method: "ip_hash", RealIP: true, Workers: 2}, failTimeout)
	d := n.watchDeployment(t, gate.Limits{})
	for i, node := range n.nodes {
		node.Stop()
		d.forAtLeast(time.Second, func(r gate.Report) bool { return isDown(r, i) })
		must.Succeed(t, node.Restart())
		d.forAtLeast(3*time.Second, func(r gate.Report) bool { return !isDown(r, i) })
	}
	d.forAtLeast(failTimeout+time.Second, func(r gate.Report) bool { return !r.Session.Ongoing })
	r := d.end()
	for _, m := range r.Moves {
		if m.Cause != gate.CauseRestart && m.Cause != gate.CauseReturn {
			t.Errorf("got %s, want a restart or a return", m)
		}
	}
	if r.Lost < len(n.nodes) {
		t.Errorf("got %d lost, want at least one by each restart", r.Lost)
	}
	holds(t, r, "sessions stay while their node is healthy", checks.Yes)
}

// isDown reports whether the i-th node does not answer now.
func isDown(r gate.Report, i int) bool {
	downs := r.Nodes[i].Downs
	return len(downs) > 0 && downs[len(downs)-1].Ongoing
}

// forAtLeast waits until a condition of the report has held for so long.
func (d *deployment) forAtLeast(long time.Duration, shows func(gate.Report) bool) {
	d.t.Helper()
	var since time.Time
	d.until(fmt.Sprintf("for %s", long), func(r gate.Report) bool {
		switch {
		case !shows(r):
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) >= long
	})
}

// TestDrainNginx: an operator marks a node down in nginx.conf and reloads. The error
// log does not show this, although it contains an earlier ejection of the node: the
// outcomes of clients decide, and the report contains when the node answered last.
func TestDrainNginx(t *testing.T) {
	for _, method := range []string{"ip_hash", ""} {
		t.Run(cmp.Or(method, "round robin"), func(t *testing.T) {
			n := newNginxCluster(t, NginxConfig{Method: method, RealIP: method != ""}, time.Second)
			n.failFor("node2")
			awaitReadmission(t, n.rig)
			d := n.watchDeployment(t, gate.Limits{Drain: "node2"})
			d.until("new clients come to node2", func(r gate.Report) bool { return met(r, "node2", r.From) })
			n.markDown("node2")
			reloaded := time.Now()
			d.until("new clients avoid it", func(r gate.Report) bool {
				return guarantee(t, r, "new clients avoid node2").Kept == checks.Yes
			})
			r := d.end()
			holds(t, r, "new clients avoid node2", checks.Yes)
			holds(t, r, "the traffic of node2 reaches zero", checks.Yes)
			empty := guarantee(t, r, "the traffic of node2 reaches zero").Reasons[0].String()
			found := regexp.MustCompile(`came at (\d\d:\d\d:\d\d\.\d\d\d)$`).FindStringSubmatch(empty)
			if found == nil {
				t.Fatalf("got %q, want the time of the last answer", empty)
			}
			if until := reloaded.UTC().Format("15:04:05.000"); found[1] > until || found[1] < r.From.UTC().Format("15:04:05.000") {
				t.Errorf("got the last answer at %s, want it before the reload was over at %s", found[1], until)
			}
		})
	}
}

// TestNoDrainNginx: a node that should be drained and is not. The same log is no
// excuse.
func TestNoDrainNginx(t *testing.T) {
	n := newNginxCluster(t, NginxConfig{Method: "ip_hash", RealIP: true}, time.Second)
	n.failFor("node2")
	awaitReadmission(t, n.rig)
	d := n.watchDeployment(t, gate.Limits{Drain: "node2"})
	d.until("new clients come to node2", func(r gate.Report) bool { return met(r, "node2", r.From.Add(time.Second)) })
	r := d.end()
	holds(t, r, "new clients avoid node2", checks.No)
	holds(t, r, "the traffic of node2 reaches zero", checks.No)
}
