package lab

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// System E: Tomcats whose memcached-session-manager keeps sessions in two real
// memcached servers, behind nginx with round robin. The manager itself is not
// available, so demo nodes keep sessions as it does: ids such as ID-n1.node2, a primary
// and a backup.

type msmRig struct {
	*rig
	memcached []*Dependency
}

func newMSMRig(t *testing.T, middleware func(*demo.Node) http.Handler) msmRig {
	t.Helper()
	f := front{name: "nginx for MSM", method: probes.MethodRoundRobin, start: startNginx(NginxConfig{})}
	memcached := []*Dependency{Memcached(t), Memcached(t)}
	store := newMSMStore(memcached...)
	r := newRig(t, f, plan{profile: "tomcat-msm", store: store, memcached: store.primary, middleware: middleware})
	for i, m := range memcached {
		r.cluster.Dependencies = append(r.cluster.Dependencies, probes.Dependency{
			Name: "memcached " + store.names[i], URL: must.URL(m.URL()),
		})
	}
	return msmRig{r, memcached}
}

func TestMSMHealthy(t *testing.T) {
	r := newMSMRig(t, nil)
	report := r.probe()
	judgeScenario(t, scenario{}, report)
	if report.Verdict != checks.Healthy || report.Session.Shared != checks.Yes {
		t.Errorf("got %s, shared %s, want healthy and yes", report.Verdict, report.Session.Shared)
	}
}

// TestMSMMemcachedStopped: one memcached is stopped before the first client. The ids
// name the other one, and no session is lost.
func TestMSMMemcachedStopped(t *testing.T) {
	r := newMSMRig(t, nil)
	r.memcached[0].Stop()
	judgeScenario(t, scenario{want: []string{"dependency_down/memcached n1"}}, r.probe())
}

// TestMSMFailover: a session that survives the end of its memcached changes -n1 to -n2
// and keeps prefix and values: a failover, not a loss.
func TestMSMFailover(t *testing.T) {
	r := newMSMRig(t, nil)
	canary := probes.NewCanary(r.cluster, frontendOf(t, r.rig), "", "", 0)
	canary.Open(t.Context())
	r.memcached[0].Stop()
	canary.Follow(t.Context())
	trace := canary.Trace()
	if got := trace.SessionOutcome(1); got != probes.SessionKept {
		t.Errorf("got session outcome %q, want %q: %+v", got, probes.SessionKept, trace)
	}
}

// TestMSMFailoverIsReported: a watcher reports the failover as such, not as drift or loss,
// with and without the route in the ids.
func TestMSMFailoverIsReported(t *testing.T) {
	for name, middleware := range map[string]func(*demo.Node) http.Handler{"ID-n1.tomcat1": nil, "ID-n1": noRoute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newMSMRig(t, middleware)
			w := r.startWatcher(monitor.Intervals{})
			judgeScenario(t, scenario{is: checks.Healthy}, w.Snapshot().Report)
			r.memcached[0].Stop()
			w.Refresh(t.Context(), monitor.Dependencies)
			report := w.Snapshot().Report
			judgeScenario(t, scenario{want: []string{"store_failover", "dependency_down/memcached n1"}}, report)
			for _, f := range report.Findings {
				if text := evidenceOf(f); f.Code == checks.StoreFailover && !strings.Contains(text, "moved from n1 to n2") {
					t.Errorf("got evidence %q, want that sessions moved from n1 to n2", f.Evidence)
				}
			}
		})
	}
}

// noRoute removes the jvmRoute of a Tomcat, whose ids then end with the memcached node.
func noRoute(n *demo.Node) http.Handler {
	return rewrite(n, func(h http.Header, body []byte) []byte {
		for i, c := range h["Set-Cookie"] {
			h["Set-Cookie"][i] = strings.Replace(c, "."+n.ID(), "", 1)
		}
		return []byte(strings.ReplaceAll(string(body), "."+n.ID(), ""))
	})
}

// TestMSMTomcatStopped: "stop one Tomcat: the session stays".
func TestMSMTomcatStopped(t *testing.T) {
	r := newMSMRig(t, nil)
	canary := probes.NewCanary(r.cluster, frontendOf(t, r.rig), "", "", 0)
	first := canary.Open(t.Context())
	r.stop(first.Label)
	canary.Follow(t.Context())
	if got := canary.Trace().SessionOutcome(1); got != probes.SessionKept {
		t.Errorf("got session outcome %q, want %q: %+v", got, probes.SessionKept, canary.Trace())
	}
	judgeScenario(t, scenario{want: []string{"node_down/" + first.Label}, also: []checks.Code{checks.NodeFailingInRotation}}, r.probe())
}

// TestMSMSharingOff: "without sharing the id changes on every refresh".
func TestMSMSharingOff(t *testing.T) {
	r := newMSMRig(t, nil)
	r.changeAll(func(f *demo.NodeFaults) { f.Private = true })
	judgeScenario(t, scenario{want: []string{"session_lost", "session_not_shared"}}, r.probe())
}

// TestMSMIdentity checks that prefix, memcached node and route of an id are
// distinguished.
func TestMSMIdentity(t *testing.T) {
	r := newMSMRig(t, nil)
	for _, n := range r.probe().Nodes {
		if !strings.HasPrefix(n.Label, "node") || strings.ContainsAny(n.Label, "-.") {
			t.Errorf("%s: got label %q, want its route alone", n.Node, n.Label)
		}
	}
}

func frontendOf(t *testing.T, r *rig) probes.Frontend {
	t.Helper()
	list := probes.Resolve(context.WithoutCancel(t.Context()), r.cluster)
	if len(list) != 1 {
		t.Fatalf("got %d frontends, want 1", len(list))
	}
	return list[0]
}
