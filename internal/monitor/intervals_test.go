package monitor_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestDue checks the age of the last full round at which the status job takes another.
func TestDue(t *testing.T) {
	minute := monitor.Intervals{Status: 20 * time.Second}
	shared := demo.Config{Method: probes.MethodRoundRobin, Shared: true}
	for _, tc := range []struct {
		name      string
		config    demo.Config
		profile   string
		change    func(*probes.Cluster)
		fault     string // before the first round
		intervals monitor.Intervals
		not, due  time.Duration
	}{
		{"calm", demo.Config{}, "generic", nil, "", minute, 100 * time.Second, 108 * time.Second},
		{
			"newcomers every five minutes",
			demo.Config{},
			"generic", nil, "",
			monitor.Intervals{Status: 20 * time.Second, NewClients: 5 * time.Minute},
			4 * time.Minute, 270 * time.Second,
		},
		{
			"a status asked every ten minutes",
			demo.Config{},
			"generic", nil, "",
			monitor.Intervals{Status: 10 * time.Minute},
			8 * time.Minute, 9 * time.Minute,
		},
		{"a warning that may last for weeks", demo.Config{}, "generic", nil, "clock-skew", minute, 100 * time.Second, 108 * time.Second},
		{"a critical finding", demo.Config{}, "generic", nil, "node-paused", minute, 0, 15 * time.Second},
		{"a warning that only clients see", shared, "tomcat-msm", nil, "ejected", minute, 0, 15 * time.Second},
		{"a doubt", demo.Config{}, "generic", func(c *probes.Cluster) { c.Session.Path = "/nowhere" }, "", minute, 0, 15 * time.Second},
		{"no sessions to be left behind", demo.Config{}, "generic", func(c *probes.Cluster) { c.Session = nil }, "", minute, 0, 15 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := start(t, tc.config, tc.profile, nil)
			if tc.change != nil {
				tc.change(d.config)
			}
			if tc.fault != "" {
				must.Succeed(t, d.Break(tc.fault))
			}
			w, log := watchAs(t, d.config, &monitor.Prober{}, tc.intervals)
			var got []int
			ask := func(jobKind monitor.JobKind, age time.Duration) {
				before := log.fullRounds()
				w.Backdate(age)
				w.Refresh(t.Context(), jobKind)
				got = append(got, log.fullRounds()-before)
			}
			ask(monitor.Status, tc.not)
			ask(monitor.Pages, tc.due-tc.not)
			ask(monitor.Dependencies, 0)
			ask(monitor.Status, 0)
			if diff := cmp.Diff([]int{0, 0, 0, 1}, got); diff != "" {
				t.Errorf("whole rounds at status, pages, dependencies, status (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMisses checks how many follow-ups a node may miss. Chance is excluded as far as the
// fail_timeout of nginx allows.
func TestMisses(t *testing.T) {
	for _, tc := range []struct {
		name     string
		nodes    int
		balancer probes.Balancer
		canary   time.Duration
		canaries int
		want     int
	}{
		{"two nodes: 10 clients", 2, probes.Balancer{}, 3 * time.Second, 2, 5},
		{"three nodes: 18 clients", 3, probes.Balancer{}, 3 * time.Second, 3, 6},
		{"five nodes: 31 clients", 5, probes.Balancer{}, 3 * time.Second, 5, 7},
		{"three nodes, two addresses", 3, probes.Balancer{}, 3 * time.Second, 6, 3},
		{"three nodes, one canary left", 3, probes.Balancer{}, 3 * time.Second, 1, 18},
		{"many canaries: one visit is none", 2, probes.Balancer{}, 3 * time.Second, 10, 2},

		{"two nodes, out for 10 s", 2, probes.Balancer{FailTimeout: 10 * time.Second}, 3 * time.Second, 2, 2},
		{"three nodes, out for 10 s", 3, probes.Balancer{FailTimeout: 10 * time.Second}, 3 * time.Second, 3, 2},
		{"five nodes, out for 10 s", 5, probes.Balancer{FailTimeout: 10 * time.Second}, 3 * time.Second, 5, 2},
		{"two nodes, out for 20 s", 2, probes.Balancer{FailTimeout: 20 * time.Second}, 3 * time.Second, 2, 5},
		{"five nodes, out for 20 s", 5, probes.Balancer{FailTimeout: 20 * time.Second}, 3 * time.Second, 5, 5},
		{"five nodes, out for 30 s", 5, probes.Balancer{FailTimeout: 30 * time.Second}, 3 * time.Second, 5, 7},
		{"out for less than two visits", 3, probes.Balancer{FailTimeout: 3 * time.Second}, 3 * time.Second, 3, 2},
		{"visited each second", 3, probes.Balancer{FailTimeout: 5 * time.Second}, time.Second, 3, 4},
		{"no visits that anybody schedules", 3, probes.Balancer{FailTimeout: 10 * time.Second}, 0, 3, 6},
		{"a balancer that ejects for no set time", 3, probes.Balancer{FailTimeout: 10 * time.Second, Method: probes.MethodCookie}, 3 * time.Second, 3, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &probes.Cluster{Balancer: tc.balancer}
			for i := range tc.nodes {
				c.Nodes = append(c.Nodes, probes.Node{ID: string(rune('a' + i)), Weight: 1})
			}
			w := monitor.NewWatcher(c, &monitor.Prober{}, nil, monitor.Intervals{Canary: tc.canary})
			if got := w.MaxMisses("a", tc.canaries); got != tc.want {
				t.Errorf("got %d visits, want %d", got, tc.want)
			}
		})
	}
	t.Run("a node of a quarter of the weight", func(t *testing.T) {
		c := &probes.Cluster{Nodes: []probes.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 3}}}
		w := monitor.NewWatcher(c, &monitor.Prober{}, nil, monitor.Intervals{})
		if diff := cmp.Diff([]int{13, 3}, []int{w.MaxMisses("a", 2), w.MaxMisses("b", 2)}); diff != "" {
			t.Errorf("visits that may miss it, and the other (-want +got):\n%s", diff)
		}
	})
}

// TestIdleTimes: several clients have the shortest pause, as many as can return after it one at a time, and
// none pauses for longer than half of the session timeout.
func TestIdleTimes(t *testing.T) {
	const half = 30 * time.Second
	for _, tc := range []struct {
		name           string
		nodes          int
		every, timeout time.Duration
		want           []time.Duration
	}{
		{"by default", 4, 3 * time.Second, 0, []time.Duration{half, half, half, 5 * time.Minute, 15 * time.Minute}},
		{"two nodes", 2, 3 * time.Second, 0, []time.Duration{half, half, 5 * time.Minute, 15 * time.Minute}},
		{"rarely", 4, 15 * time.Second, 0, []time.Duration{half, half, 5 * time.Minute, 15 * time.Minute}},
		{"very rarely", 4, time.Minute, 0, []time.Duration{half, 5 * time.Minute, 15 * time.Minute}},
		{"no follow-ups", 2, 0, 0, []time.Duration{half, half, 5 * time.Minute, 15 * time.Minute}},
		{"short sessions", 1, 3 * time.Second, 40 * time.Second, []time.Duration{20 * time.Second}},
		{"no nodes", 0, 3 * time.Second, 0, nil},
	} {
		c := &probes.Cluster{Nodes: make([]probes.Node, tc.nodes), Session: &probes.Session{Timeout: tc.timeout}}
		if diff := cmp.Diff(tc.want, monitor.IdleTimes(c, tc.every)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
