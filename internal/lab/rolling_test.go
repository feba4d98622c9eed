package lab

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
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
			holds(t, r, "sessions stay while their node is well", checks.Yes)
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
