package lab

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// System A: Weaver e-Bridge behind nginx with ip_hash and the server block of
// its cluster manual, which gives no max_fails, so that one failure ejects for
// ten seconds.

func ebridgeFront(config NginxConfig) front {
	config.Method = "ip_hash"
	return front{
		name: "e-Bridge's nginx", method: probes.MethodIPHash, header: config.RealIP, sticky: true,
		start: func(tb testing.TB, nodes []*demo.Node, _ plan) entrance {
			c := config
			for _, n := range nodes {
				c.Servers = append(c.Servers, Server{Addr: n.Addr()})
			}
			return Nginx(tb, c)
		},
	}
}

// TestEBridgeSessions: sessions in each node's memory, and in both stores that
// the manual offers. Where they are stored, stickiness is still judged, and
// policy shared is kept by them.
func TestEBridgeSessions(t *testing.T) {
	front := ebridgeFront(NginxConfig{RealIP: true, Zone: true})
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
			r := newRig(t, front, plan{profile: "ebridge", store: store})
			judgeScenario(t, scenario{}, r.probe())
			if store == nil {
				return
			}
			// "If ip_hash cannot be had, persist the sessions": any node may answer.
			front := front
			front.method, front.header, front.start = probes.MethodRoundRobin, false, roundRobin
			r = newRig(t, front, plan{profile: "ebridge", store: store, policy: probes.PolicyShared})
			judgeScenario(t, scenario{}, r.probe())
		})
	}
}

// TestEBridgeStoreGone: nodes whose session store is down answer errors, which
// is the store's doing and not theirs.
func TestEBridgeStoreGone(t *testing.T) {
	redis := Redis(t)
	r := newRig(t, ebridgeFront(NginxConfig{RealIP: true, Zone: true}), plan{profile: "ebridge", store: newRedisStore(t, redis)})
	r.cluster.Dependencies = []probes.Dependency{{Name: "Redis", URL: parse(t, redis.URL())}}
	redis.Stop()
	report := r.probe()
	judgeScenario(t, scenario{
		want: []string{"dependency_down/Redis"},
		also: []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.BalancerError},
	}, report)
	redis.Start()
	judgeScenario(t, scenario{}, r.probe())
}

// TestEBridgeDefaultEjection: one failure ejects for ten seconds, so whoever
// looks within them sees it, and whoever looks later must not.
func TestEBridgeDefaultEjection(t *testing.T) {
	t.Parallel()
	r := newRig(t, ebridgeFront(NginxConfig{RealIP: true, Zone: true}), plan{profile: "ebridge"})
	r.eject("node2")
	judgeScenario(t, scenario{want: []string{"node_ejected/node2"}}, r.probe())

	// nginx lets one request through when more than fail_timeout has passed; with
	// it everybody is back.
	deadline := time.Now().Add(60 * time.Second)
	for {
		report := r.probe()
		if report.Verdict == checks.Healthy {
			return
		}
		out := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.NodeEjected && f.Node == "node2" })
		if !out || time.Now().After(deadline) {
			t.Fatalf("on the way back: %s", tell(report))
		}
		select {
		case <-t.Context().Done():
			t.Fatal("interrupted")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// TestEBridgeDuplicate: "the value of nodeId must be unique".
func TestEBridgeDuplicate(t *testing.T) {
	r := newRig(t, ebridgeFront(NginxConfig{}), plan{profile: "ebridge"})
	r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" })
	judgeScenario(t, scenario{want: []string{"duplicate_node_id"}}, r.probe())
}
