package lab

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
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
			h.URL(), func(c *probes.Cluster) { c.Balancer.Evidence.HAProxyStats = parse(t, h.StatsURL()) },
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
			a.URL(), func(c *probes.Cluster) { c.Balancer.Evidence.ApacheBalancerManager = parse(t, a.ManagerURL()) },
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
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Referer", a.ManagerURL())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
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
