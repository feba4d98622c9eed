package monitor_test

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// returned counts the clients of earlier rounds that sent a request in a round.
func returned(r checks.Round) (count int) {
	for _, trace := range r.Traces {
		if trace.Continued && slices.ContainsFunc(trace.Steps[1:], func(s probes.Step) bool { return !s.At.Before(r.Started) }) {
			count++
		}
	}
	return count
}

// TestReserve: behind a balancer whose choice is not computed, further clients of earlier
// rounds return in a full round when something seems wrong, and only then.
func TestReserve(t *testing.T) {
	const canaries, reserve = 3, 8
	d := start(t, demo.Config{HAProxy: &demo.HAProxyConfig{Balance: demo.HAProxySource}}, "generic", func(f *config.Flags) {
		f.Method = string(probes.MethodUnknown)
	})
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
	for range 4 { // each adds some of its new clients to the reserve
		must.Succeed(t, w.TakeRound(t.Context()))
	}
	if got := returned(log.last().Observed); got != canaries {
		t.Errorf("while all is well: %d clients returned, want %d", got, canaries)
	}
	must.Succeed(t, d.Break("node-down"))
	w.FollowUp(t.Context())
	if got := returned(log.last().Observed); got != canaries+reserve {
		t.Errorf("while a node is down: %d clients returned, want %d", got, canaries+reserve)
	}
}

// TestReserveTakesTurns: while all is well, the clients of the reserve take turns with the
// canaries, so that each of them notices a balancer that places clients anew. That costs no
// further requests.
func TestReserveTakesTurns(t *testing.T) {
	const canaries, reserve = 2, 8
	d := start(t, demo.Config{Nodes: canaries, HAProxy: &demo.HAProxyConfig{Cookie: "SRV"}}, "generic", func(f *config.Flags) {
		f.Method = string(probes.MethodUnknown)
	})
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
	for range 6 { // each adds some of its new clients to the reserve
		must.Succeed(t, w.TakeRound(t.Context()))
	}
	before := len(log.requests)
	for range 4 * reserve {
		w.FollowUp(t.Context())
	}
	clients := make(map[probes.Fingerprint]bool)
	for _, q := range log.requests[before:] {
		clients[q.Session] = true
	}
	if got := len(log.requests) - before; len(clients) != canaries+reserve || got != 4*reserve*canaries {
		t.Errorf("got %d requests of %d clients, want %d of %d", got, len(clients), 4*reserve*canaries, canaries+reserve)
	}
}
