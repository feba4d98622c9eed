package lab

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/gate"
	"stickwatch/internal/gate/watch"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// rollingFronts start a balancer that tolerates a restarting Tomcat: it tries the other
// one, and uses the node again within about a second.
var rollingFronts = map[string]func(testing.TB, []*Tomcat) string{
	"apache": func(tb testing.TB, tomcats []*Tomcat) string {
		front := apacheSticky
		for _, t := range tomcats {
			front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.AJP(), FailTimeout: time.Second})
		}
		return Apache(tb, front).URL()
	},
	"haproxy": func(tb testing.TB, tomcats []*Tomcat) string {
		front := HAProxyConfig{Cookie: "SRV insert indirect nocache", CheckPath: testPage, Redispatch: true, Retries: 1}
		for _, t := range tomcats {
			front.Servers = append(front.Servers, Server{Name: t.Name(), Addr: t.Addr()})
		}
		return HAProxy(tb, front).URL()
	},
}

// TestRollingRestartReplicated: a rolling restart of replicating Tomcats loses no
// session.
func TestRollingRestartReplicated(t *testing.T) {
	for name, front := range rollingFronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})
			d := watchTomcats(t, tomcats, front(t, tomcats), gate.Limits{}, nil)
			for i := range tomcats {
				d.restart(i)
				awaitReplication(t, tomcats)
			}
			r := d.end()
			if r.Lost > 0 || r.Moved < 3 { // one session leaves, and both return
				t.Errorf("got %d lost of %d moved, want none of 3 or more", r.Lost, r.Moved)
			}
			for _, m := range r.Moves {
				if m.Cause != gate.CauseRestart || !m.Kept() {
					t.Errorf("got %+v, want a restart, and a session that was kept", m)
				}
			}
			holds(t, r, "no session is lost", checks.Yes)
			holds(t, r, "sessions keep what they hold", checks.Yes)
			holds(t, r, "sessions stay while their node is healthy", checks.Yes)
		})
	}
}

// TestRollingRestartAlone: without replication every restart loses the sessions of its
// node: that of the first node, then both, because the first user has a new session on
// the second.
func TestRollingRestartAlone(t *testing.T) {
	for name, front := range rollingFronts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair})
			d := watchTomcats(t, tomcats, front(t, tomcats), gate.Limits{}, nil)
			for i := range tomcats {
				d.restart(i)
			}
			r := d.end()
			want := []string{"tomcat1", "tomcat2", "tomcat2"}
			if r.Lost != len(want) || len(r.Moves) != len(want) {
				t.Fatalf("got %d lost: %v, want %d", r.Lost, r.Moves, len(want))
			}
			for i, m := range r.Moves {
				if m.From != want[i] || !m.Lost() || m.Cause != gate.CauseRestart || m.Allowed {
					t.Errorf("got %+v, want one lost by the restart of %s", m, want[i])
				}
			}
			holds(t, r, "no session is lost", checks.No)
			if r.Verdict() != checks.Failing {
				t.Errorf("got %s, want failing", r.Verdict())
			}
		})
	}
}

// A deployment is the watch of two Tomcats behind a real balancer during an operation.
type deployment struct {
	t       *testing.T
	tomcats []*Tomcat
	cluster *probes.Cluster
	limits  gate.Limits
	watch   *watch.Watch
}

// watchTomcats starts to watch Tomcats behind a balancer at url.
func watchTomcats(t *testing.T, tomcats []*Tomcat, url string, limits gate.Limits, change func(*probes.Cluster)) *deployment {
	t.Helper()
	d := &deployment{t: t, tomcats: tomcats, cluster: tomcatCluster(t, tomcats, url), limits: limits}
	if change != nil {
		change(d.cluster)
	}
	d.watch = watch.Start(t.Context(), d.cluster, watch.Config{Interval: 100 * time.Millisecond})
	return d
}

// tomcatCluster returns the configuration of Tomcats behind a balancer at url.
func tomcatCluster(tb testing.TB, tomcats []*Tomcat, url string) *probes.Cluster {
	tb.Helper()
	flags := config.Flags{Balancer: []string{url}, Profile: "tomcat", Method: string(probes.MethodCookie)}
	for _, tomcat := range tomcats {
		flags.Nodes = append(flags.Nodes, tomcat.Name()+"="+tomcat.URL())
	}
	cfg, err := config.FromFlags(flags)
	must.Succeed(tb, err)
	return cfg.Clusters[0]
}

func (d *deployment) report() gate.Report { return gate.Judge(d.watch.Record(), d.limits, time.Now()) }

func (d *deployment) end() gate.Report {
	d.t.Helper()
	r := gate.Judge(d.watch.Stop(d.t.Context()), d.limits, time.Now())
	if d.t.Failed() {
		d.t.Logf("moves:")
	}
	for _, m := range r.Moves {
		d.t.Log(m)
	}
	return r
}

// until waits until the report shows a condition.
func (d *deployment) until(what string, shows func(gate.Report) bool) {
	d.t.Helper()
	err := poll(d.t.Context(), nil, func(context.Context) error {
		if !shows(d.report()) {
			return fmt.Errorf("%s: not yet", what)
		}
		return nil
	})
	if err != nil {
		d.t.Fatalf("%v\n%+v", err, d.report().Moves)
	}
}

// met reports whether a node answered a new client after a time.
func met(r gate.Report, node string, moment time.Time) bool {
	for _, client := range r.Clients {
		for _, p := range client.Segments {
			if client.Kind == gate.KindNewClient && p.Good && p.Node == node && p.To.After(moment) {
				return true
			}
		}
	}
	return false
}

// restart restarts a Tomcat, and waits until new clients are sent to it again and the watch itself has found it up.
func (d *deployment) restart(i int) {
	d.t.Helper()
	tomcat := d.tomcats[i]
	tomcat.Stop()
	tomcat.Start()
	back := time.Now()
	d.until(tomcat.Name()+" gets new clients", func(r gate.Report) bool {
		isDown := func(m gate.Move) bool { return m.Cause == gate.CauseDown }
		return met(r, tomcat.Name(), back) && !slices.ContainsFunc(r.Moves, isDown)
	})
}

// guarantee returns the guarantee of that name.
func guarantee(t *testing.T, r gate.Report, name string) gate.Guarantee {
	t.Helper()
	for _, p := range r.Guarantees {
		if p.Name.String() == name {
			return p
		}
	}
	t.Fatalf("no guarantee %q in %+v", name, r.Guarantees)
	return gate.Guarantee{}
}

// holds checks the answer of a guarantee.
func holds(t *testing.T, r gate.Report, name string, want checks.Tristate) {
	t.Helper()
	if p := guarantee(t, r, name); p.Kept != want {
		t.Errorf("%s: got %s, want %s: %q", name, p.Kept, want, p.Reasons)
	}
}
