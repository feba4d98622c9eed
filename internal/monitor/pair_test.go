package monitor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// TestPairs: new clients that come with a visit find a cache which gives clients each
// other's session, and stand in for as many canaries.
func TestPairs(t *testing.T) {
	for name, c := range map[string]demo.Config{
		"ip_hash": {}, "round robin, shared": {Method: probes.MethodRoundRobin, Shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, c, "generic", nil)
			w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{NewClients: time.Hour, Status: time.Nanosecond})
			before := log.probes[checks.TargetCanary]
			w.FollowUp(t.Context())
			if got := log.probes[checks.TargetCanary] - before; got != len(d.Nodes) || log.fullRounds() != 1 {
				t.Errorf("got %d requests of clients and %d whole rounds, want one a node, and only the first round", got, log.fullRounds())
			}
			log.newChanges()
			d.Balancer.Change(func(f *demo.BalancerFaults) {
				f.Cache = demo.CacheConfig{TTL: time.Hour, IgnoreCacheControl: true, IgnoreSetCookie: true, OnlyWithoutCookie: true}
			})
			w.FollowUp(t.Context())
			if got := log.newChanges(); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "appeared session_leaked") }) {
				t.Errorf("got %q, want session_leaked", got)
			}
		})
	}
}
