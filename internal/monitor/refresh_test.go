package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A fullCluster is a cluster with a target for every job kind.
type fullCluster struct {
	watched
	prober     *monitor.Prober
	pings      atomic.Int32
	handshakes atomic.Int32
	down       atomic.Bool // the dependency
	broken     atomic.Bool // every handshake
}

func startFullCluster(t *testing.T) *fullCluster {
	t.Helper()
	e := &fullCluster{watched: start(t, demo.Config{}, "generic", nil)}
	e.config.Pages = []probes.Page{{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}}}
	e.config.Handshake = &probes.Handshake{Path: "/socket.io/"}
	e.config.Dependencies = []probes.Dependency{{Name: "DB Service", URL: &url.URL{Scheme: "fake", Host: "db"}}}
	e.prober = &monitor.Prober{
		Pingers: map[string]probes.Pinger{"fake": func(context.Context, *url.URL) error {
			e.pings.Add(1)
			if e.down.Load() {
				return errors.New("no such database")
			}
			return nil
		}},
		Handshake: func(context.Context, *probes.Client, probes.HandshakeRequest) probes.HandshakeObservation {
			e.handshakes.Add(1)
			if e.broken.Load() {
				return probes.HandshakeObservation{Stage: "open", Status: 500, Error: "no session"}
			}
			return probes.HandshakeObservation{Opened: true, Known: true, Offered: true, Upgraded: true}
		},
	}
	return e
}

// asked returns which observations of a round changed, and how many observations without a
// time there were.
func (f *fullCluster) asked(refresh func(), newest func() checks.Round) map[string]int {
	pings, handshakes, before := f.pings.Load(), f.handshakes.Load(), newest()
	refresh()
	after := newest()
	asked := make(map[string]int)
	count := func(what string, was, is probes.Exchange) {
		if !is.At.Equal(was.At) {
			asked[what]++
		}
	}
	for i := range after.Nodes {
		count("nodes", before.Nodes[i].Primary, after.Nodes[i].Primary)
		count("pages of nodes", before.Nodes[i].Pages[0], after.Nodes[i].Pages[0])
	}
	count("balancer", before.Balancers[0].Primary, after.Balancers[0].Primary)
	count("pages of the balancer", before.Balancers[0].Pages[0], after.Balancers[0].Pages[0])
	for what, n := range map[string]int32{"dependencies": f.pings.Load() - pings, "handshakes": f.handshakes.Load() - handshakes} {
		if n > 0 {
			asked[what] = int(n)
		}
	}
	return asked
}

// everyJobKind is the expected result of each job kind with three nodes: three handshakes
// through the balancer, and one with each node.
var everyJobKind = map[monitor.JobKind]map[string]int{
	monitor.Status:       {"nodes": 3, "balancer": 1, "handshakes": 6},
	monitor.Pages:        {"pages of nodes": 3, "pages of the balancer": 1},
	monitor.Dependencies: {"dependencies": 1},
}

// TestParts: a job repeats its own probes, and the newest round combines them with the other
// earlier observations.
func TestParts(t *testing.T) {
	e := startFullCluster(t)
	w, log := watchAs(t, e.config, e.prober, monitor.Intervals{})
	for jobKind, want := range everyJobKind {
		got := e.asked(func() { w.Refresh(t.Context(), jobKind) }, func() checks.Round { return log.last().Observed })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: asked anew (-want +got):\n%s", jobKind, diff)
		}
	}
	if got := log.fullRounds(); got != 1 {
		t.Errorf("got %d whole rounds, want only the first", got)
	}
}

// TestPartsFind: a finding of a job starts a full round at once.
func TestPartsFind(t *testing.T) {
	for _, tc := range []struct {
		jobKind monitor.JobKind
		fault   func(*fullCluster) error
		want    string // expected change, among others
	}{
		{monitor.Status, func(e *fullCluster) error { return e.Break("node-paused") }, "appeared node_paused node2"},
		{monitor.Status, func(e *fullCluster) error { e.broken.Store(true); return nil }, "appeared handshake_broken "},
		{monitor.Pages, func(e *fullCluster) error { return e.Break("page-failing") }, "appeared page_failing node2"},
		{monitor.Dependencies, func(e *fullCluster) error { e.down.Store(true); return nil }, "appeared dependency_down "},
	} {
		t.Run(string(tc.jobKind)+": "+tc.want, func(t *testing.T) {
			e := startFullCluster(t)
			w, log := watchAs(t, e.config, e.prober, monitor.Intervals{})
			log.newChanges()
			must.Succeed(t, tc.fault(e))
			w.Refresh(t.Context(), tc.jobKind)
			if got := log.newChanges(); !slices.Contains(got, tc.want) {
				t.Errorf("got %q, want %q among it", got, tc.want)
			}
			if got := log.fullRounds(); got != 2 {
				t.Errorf("got %d whole rounds, want one for what was found", got-1)
			}
		})
	}
}

// TestPartsInTrouble: while a finding is unconfirmed, or the verdict is in doubt, jobs
// continue to probe and report. They do not confirm the finding.
func TestPartsInTrouble(t *testing.T) {
	for name, trouble := range map[string]func(*fullCluster) error{
		"a finding that waits": func(e *fullCluster) error { return e.Break("node-down") },
		"a doubt":              func(e *fullCluster) error { e.config.Session.Path = "/nowhere"; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			e := startFullCluster(t)
			must.Succeed(t, trouble(e))
			w, log := watchAs(t, e.config, e.prober, monitor.Intervals{Status: time.Hour, Damping: checks.Damping{Appear: 2}})
			log.newChanges()
			reported := map[monitor.JobKind]checks.TargetKind{
				monitor.Status: checks.TargetNode, monitor.Pages: checks.TargetNode, monitor.Dependencies: checks.TargetDependency,
			}
			for jobKind, want := range everyJobKind {
				before := log.probes[reported[jobKind]]
				if diff := cmp.Diff(want, e.asked(func() { w.Refresh(t.Context(), jobKind) }, w.Newest)); diff != "" {
					t.Errorf("%s: asked anew (-want +got):\n%s", jobKind, diff)
				}
				if log.probes[reported[jobKind]] == before {
					t.Errorf("%s: nothing was reported", jobKind)
				}
			}
			if got := log.newChanges(); len(got) > 0 || len(log.judged) != 1 {
				t.Errorf("got %d judgements and %q, want nothing after the first round", len(log.judged), got)
			}
		})
	}
}

// TestChangingReason: nodes that report another reason in every response are paused within two
// rounds. Nothing else changes, and they are not probed more often.
func TestChangingReason(t *testing.T) {
	const followUps = 24
	for name, tt := range map[string]struct {
		reason     func(round int) string
		want       []string // changes
		fullRounds int      // maximum after the first two
	}{
		"a counter beside the name": {
			func(round int) string { return fmt.Sprintf("unavailable: Mail (attempt %d, %d ms)", round, 17*round) },
			[]string{"appeared dependency_down node2", "appeared node_paused node2"},
			0,
		},
		// Three rounds for the confirmation, then backoffs of 1, 2, 4, 8, 16 and 32 s.
		"another name every time": {
			func(round int) string { return "unavailable: " + string(rune('a'+round)) + " service" },
			[]string{"appeared node_paused node2"},
			9,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, demo.Config{}, "strategy-collaboration", nil)
			damping := checks.Damping{Appear: 2, Vanish: 2}
			w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour, Damping: damping})
			log.newChanges()
			round := 0
			pause := func() {
				round++
				d.Nodes[1].Change(func(f *demo.NodeFaults) { f.Paused = tt.reason(round) })
			}
			for range 2 {
				pause()
				must.Succeed(t, w.TakeRound(t.Context()))
			}
			if diff := cmp.Diff(tt.want, log.newChanges()); diff != "" {
				t.Errorf("after two rounds (-want +got):\n%s", diff)
			}
			before := log.fullRounds()
			for range followUps {
				pause()
				w.Backdate(3 * time.Second)
				w.FollowUp(t.Context())
			}
			if got := log.fullRounds() - before; got > tt.fullRounds {
				t.Errorf("got %d whole rounds in %d visits, want at most %d", got, followUps, tt.fullRounds)
			}
			if diff := cmp.Diff([]string(nil), log.newChanges()); diff != "" {
				t.Errorf("later changes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNodesAreAskedAgain checks which observations of a long round are taken again: the
// status of nodes that were up, and nothing else.
func TestNodesAreAskedAgain(t *testing.T) {
	e := startFullCluster(t)
	known := e.prober.AskNodes(t.Context(), e.config)
	must.Succeed(t, e.StopNode("node3"))
	known[1].Primary = probes.Exchange{Failure: probes.FailureTimeout}
	newest := e.prober.AskUpNodes(t.Context(), e.config, known)
	var got []string
	for i, o := range newest {
		again := !o.Primary.At.Equal(known[i].Primary.At)
		kept := o.Session == known[i].Session && o.Session != nil && len(o.Pages) == 1
		got = append(got, fmt.Sprintf("%s again: %t, kept: %t, up: %t", o.Node, again, kept, checks.Up(o)))
	}
	want := []string{
		"node1 again: true, kept: true, up: true", "node2 again: false, kept: true, up: false", "node3 again: true, kept: true, up: false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}
