package lab

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// A watch is a watcher of a rig, and what it told.
type watch struct {
	*monitor.Watcher
	mu   sync.Mutex
	told []string // changes: kind and key
}

func (w *watch) Probed(monitor.Probe) {}

func (w *watch) Judged(j monitor.Judgement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range j.Changes {
		if c.Severity != checks.Info {
			w.told = append(w.told, string(c.Kind)+" "+c.Key())
		}
	}
}

// watch begins to watch the rig's cluster, and takes a first round.
func (r *rig) watch(pace monitor.Pace) *watch {
	r.tb.Helper()
	w := new(watch)
	w.Watcher = monitor.NewWatcher(r.cluster, r.prober(), w, pace)
	r.tb.Cleanup(func() { w.Close() })
	w.Refresh(r.tb.Context(), monitor.Status)
	return w
}

// TestEjectionBetweenRounds: nginx ejects a node for a second or two, and has it
// back before anybody looks. Its error log is read on from where it was read
// before, and tells.
func TestEjectionBetweenRounds(t *testing.T) {
	t.Parallel()
	damping := checks.Damping{Appear: 2, Vanish: 2}
	for _, tc := range []struct {
		name, front, profile string
		failTimeout          time.Duration
	}{
		{"ip_hash", "nginx ip_hash", "ebridge", time.Second},
		{"ip_hash of one address", "nginx ip_hash, one address", "ebridge", 2 * time.Second},
		{"round robin", "nginx round robin", "huozige", 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := fronts[slices.IndexFunc(fronts, named(tc.front))]
			r := newRig(t, f, plan{profile: tc.profile, shared: true, front: frontPlan{failTimeout: tc.failTimeout}})
			r.cluster.Balancer.FailTimeout = tc.failTimeout
			nginxLog(r.front, &r.cluster.Balancer.Evidence, t)
			w := r.watch(monitor.Pace{Damping: damping})
			if diff := cmp.Diff([]string(nil), w.told); diff != "" {
				t.Fatalf("told at first (-want +got):\n%s", diff)
			}
			r.failFor("node2")
			awaitReadmission(t, r)

			for range 4 {
				w.Refresh(t.Context(), monitor.Status)
			}
			if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.told); diff != "" {
				t.Errorf("told (-want +got):\n%s%s", diff, tell(w.Picture().Report))
			}
			hear(t, w.Picture().Report, "was out from")
			hear(t, w.Picture().Report, "nginx error log")
			for _, n := range w.Picture().Report.Nodes {
				if n.InRotation == checks.No {
					t.Errorf("%s is told to be out: %s", n.Node, n.Rotation)
				}
			}
		})
	}
}

// TestComebackBetweenRounds: HAProxy's checks find a node down and up again
// before anybody looks. Its statistics tell since when it is up.
func TestComebackBetweenRounds(t *testing.T) {
	t.Parallel()
	f := front{name: "haproxy with checks", method: probes.MethodRoundRobin, start: func(tb testing.TB, nodes []*demo.Node, _ plan) entrance {
		c := HAProxyConfig{CheckPath: "/status"}
		for _, n := range nodes {
			c.Servers = append(c.Servers, Server{Name: n.ID(), Addr: n.Addr()})
		}
		return HAProxy(tb, c)
	}}
	r := newRig(t, f, plan{profile: "tomcat-msm", shared: true})
	haproxyStats(r.front, &r.cluster.Balancer.Evidence, t)
	w := r.watch(monitor.Pace{Damping: checks.Damping{Appear: 2, Vanish: 2}})
	if report := w.Picture().Report; report.Verdict != checks.Healthy {
		t.Fatalf("at first: %s", tell(report))
	}
	began := time.Now()
	r.stop("node2")
	await(t, "down, and for a while", func() bool {
		return statuses(t, r.front.(*HAProxyBalancer).StatsURL())["node2"] == "DOWN" && time.Since(began) > 5*time.Second
	})
	r.start("node2")
	await(t, "up", func() bool { return statuses(t, r.front.(*HAProxyBalancer).StatsURL())["node2"] == "UP" })
	for range 3 {
		w.Refresh(t.Context(), monitor.Status)
	}
	if diff := cmp.Diff([]string{"appeared node_ejected/node2"}, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s%s", diff, tell(w.Picture().Report))
	}
	hear(t, w.Picture().Report, "by the balancer's own word: haproxy")
}

// failFor has nginx eject a node by a user's request, whatever the method.
func (r *rig) failFor(id string) {
	r.tb.Helper()
	if r.cluster.Balancer.Method == probes.MethodIPHash {
		r.fail(id)
		return
	}
	r.eject(id)
}

// awaitReadmission returns when nginx has all servers back, and nobody could
// still see that one was out.
func awaitReadmission(t *testing.T, r *rig) {
	t.Helper()
	await(t, "readmitted", func() bool {
		obs := evidence.NginxErrorLog(t.Context(), r.cluster.Balancer.Evidence.NginxErrorLog, time.Now(),
			evidence.NginxOptions{FailTimeout: r.cluster.Balancer.FailTimeout})
		return len(obs.Servers) > 0 && !slices.ContainsFunc(obs.Servers, func(s probes.ServerEvidence) bool { return s.State != probes.ServerUp })
	})
}

// TestStartOrderSeen: e-Bridge's nodes do not tell since when they run. Who
// watches them sees that the primary came after the others, whether it was
// started late or again; what was there before anybody watched is not guessed.
func TestStartOrderSeen(t *testing.T) {
	const late = "appeared start_order/node1"
	for _, tc := range []struct {
		name string
		play func(*testing.T, *rig) *watch
		want []string
	}{
		{"late", func(t *testing.T, r *rig) *watch {
			r.stop("node1")
			w := r.watch(monitor.Pace{})
			r.start("node1")
			return w
		}, []string{late}},
		{"again", func(t *testing.T, r *rig) *watch {
			w := r.watch(monitor.Pace{})
			r.stop("node1")
			w.Refresh(t.Context(), monitor.Status)
			r.start("node1")
			return w
		}, []string{late}},
		{"another one again", func(t *testing.T, r *rig) *watch {
			w := r.watch(monitor.Pace{})
			r.stop("node2")
			w.Refresh(t.Context(), monitor.Status)
			r.start("node2")
			return w
		}, nil},
		{"first of all", func(t *testing.T, r *rig) *watch {
			r.stop("node1", "node2", "node3")
			w := r.watch(monitor.Pace{})
			for _, id := range []string{"node1", "node2"} {
				r.start(id)
				w.Refresh(t.Context(), monitor.Status)
			}
			r.start("node3")
			return w
		}, nil},
		{"all were there", func(_ *testing.T, r *rig) *watch { return r.watch(monitor.Pace{}) }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, asInTheManual("error"), plan{profile: "ebridge"})
			w := tc.play(t, r)
			w.Refresh(t.Context(), monitor.Status)
			told := slices.DeleteFunc(w.told, func(change string) bool { return !strings.Contains(change, string(checks.StartOrder)) })
			if diff := cmp.Diff(tc.want, told, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("told of the order (-want +got):\n%s%s", diff, tell(w.Picture().Report))
			}
		})
	}
}

// TestWatchedEjections: node after node is ejected and readmitted under the eyes
// of somebody who looks all the time. Clients move twice at each, which is no
// drift, and the balancer is never of two minds.
func TestWatchedEjections(t *testing.T) {
	for _, tc := range []struct{ name, front, profile string }{
		{"ip_hash", "nginx ip_hash", "ebridge"},
		{"ip_hash, 4 workers", "nginx ip_hash, 4 workers", "ebridge"},
		{"ip_hash of one address", "nginx ip_hash, one address", "ebridge"},
		{"ip_hash, sessions replicated", "nginx ip_hash", "tomcat"},
		{"round robin, sessions shared", "nginx round robin", "tomcat-msm"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := fronts[slices.IndexFunc(fronts, named(tc.front))]
			r := newRig(t, f, plan{profile: tc.profile, shared: tc.profile != "ebridge", front: frontPlan{failTimeout: time.Second}})
			r.cluster.Balancer.FailTimeout = time.Second
			w := r.watch(monitor.Pace{Damping: checks.Damping{Appear: 2, Vanish: 2}})
			turns := []string{"node2", "node1", "node3", "node2"}
			if f.narrow {
				turns = slices.Repeat([]string{r.ourNode()}, 3)
			}
			for _, id := range turns {
				r.failFor(id)
				failed := time.Now()
				await(t, "well again", func() bool {
					w.Visit(t.Context())
					return time.Since(failed) > 3*time.Second && w.Picture().Report.Verdict == checks.Healthy
				})
			}
			for _, change := range w.told {
				if !strings.Contains(change, "node_ejected/") {
					t.Errorf("told %q, of %q", change, w.told)
				}
			}
		})
	}
}

// TestProbeAtReadmission: the first request after fail_timeout is a trial, and
// until it is answered others go on as before. It is often our own, so that a
// round sees both; that is no drift, and no split.
func TestProbeAtReadmission(t *testing.T) {
	t.Parallel()
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{profile: "ebridge", front: frontPlan{failTimeout: time.Second}})
	r.cluster.Balancer.FailTimeout = time.Second
	nginxLog(r.front, &r.cluster.Balancer.Evidence, t)
	for _, id := range []string{"node2", "node1", "node3", "node2", "node1"} {
		r.failFor(id)
		awaitReadmission(t, r)
		for range 2 {
			judgeScenario(t, scenario{also: []checks.Code{checks.NodeEjected}}, r.probe())
		}
	}
}
