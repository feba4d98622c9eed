package sim

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// A kind of operation, with what is right to say of it.
type kind struct {
	name   string
	nodes  int // how many nodes it is about; all: every one
	weight int // how often it is chosen
	least  time.Duration
	most   time.Duration // bounds of For; 0: it is a moment
	fits   func(Setup) bool
	steps  func(Operation, Setup) []step

	causes    []checks.Code // that an incident about it may name
	unwell    bool          // its nodes are not well: under sticky what they lose is part of their line
	announced bool          // it is explained, and summed up at its end
	word      bool          // critical without proof of harm: nodes say themselves that they are paused
	twice     bool          // its undoing is an event of its own
	must      time.Duration // of at least this duration it deserves an incident, whether or not users are harmed; 0: by harm alone
}

const all = -1

// A step is what an operation does at one moment.
type step struct {
	after time.Duration // from the operation's beginning
	what  string
	do    func(*world) error
}

var (
	down     = []checks.Code{checks.NodeDown, checks.NodeRestarted, checks.BalancerError} // the last where every node is ejected
	hanging  = []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.Slow, checks.PageFailing, checks.BalancerError, "session_failing"}
	remapped = []checks.Code{"balancer_remapped"}
)

// kinds lists every kind of operation: outages of nodes and of the balancer, changes
// of the balancer's list, faults of applications, and what disturbs the monitor.
var kinds = []kind{
	{name: "restart", nodes: 1, weight: 4, least: 500 * time.Millisecond, most: 8 * time.Second, steps: outage, causes: down, unwell: true},
	{name: "rolling", nodes: all, weight: 4, least: 500 * time.Millisecond, most: 5 * time.Second, steps: rolling, causes: down, unwell: true},
	{name: "deploy", nodes: all, weight: 4, least: 500 * time.Millisecond, most: 5 * time.Second, steps: deploy, unwell: true, announced: true, must: 1},
	{name: "kill", nodes: 1, weight: 4, least: 20 * time.Second, most: 4 * time.Minute, steps: outage, causes: down, unwell: true, must: 75 * time.Second},
	{name: "kill-two", nodes: 2, weight: 2, least: 20 * time.Second, most: 2 * time.Minute, fits: moreNodesThan(2), steps: staggered, causes: down, unwell: true, must: 75 * time.Second},
	{name: "machine", nodes: 1, weight: 2, least: 20 * time.Second, most: 3 * time.Minute, steps: silence, causes: append([]checks.Code{checks.NodeRestarted}, hanging...), unwell: true, must: 75 * time.Second},
	{
		name: "all-down", nodes: all, weight: 1, least: 5 * time.Second, most: 90 * time.Second, steps: outage,
		causes: append([]checks.Code{checks.BalancerDown}, down...), unwell: true,
	},
	{name: "flap", nodes: 1, weight: 2, least: 40 * time.Second, most: 2 * time.Minute, steps: flap, causes: down, unwell: true},
	{name: "balancer-down", weight: 1, least: 2 * time.Second, most: time.Minute, steps: balancerDown, causes: []checks.Code{checks.BalancerDown}},

	{name: "reload", weight: 2, steps: moment("reload", func(w *world) error { return w.cluster.Reload() }), causes: remapped},
	{
		name: "remove", nodes: 1, weight: 2, least: 30 * time.Second, most: 4 * time.Minute, fits: moreNodesThan(2),
		steps: both((*world).removeServer, (*world).addServer), twice: true, causes: append([]checks.Code{checks.NodeEjected}, remapped...),
	},
	{
		name: "scale-out", weight: 1, least: time.Minute, most: 4 * time.Minute, steps: scaleOut, twice: true,
		causes: append([]checks.Code{checks.UnknownNode}, remapped...),
	},
	{name: "reverse", weight: 1, least: time.Minute, most: 4 * time.Minute, steps: both(reverse, reverse), twice: true, causes: remapped},
	{
		name: "drain", nodes: 1, weight: 2, least: 30 * time.Second, most: 4 * time.Minute,
		steps: both(serverState(demo.ServerDrain), serverState(demo.ServerReady)), twice: true,
		causes: append([]checks.Code{checks.NodeEjected}, remapped...),
	},

	{name: "slow", nodes: 1, weight: 2, least: 20 * time.Second, most: 3 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Delay = pick(on, 3*time.Second) }), causes: append([]checks.Code{checks.NodeEjected}, hanging...), unwell: true},
	{name: "hang", nodes: 1, weight: 1, least: 20 * time.Second, most: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Mode = pick(on, demo.Hang) }), causes: hanging, unwell: true},
	{name: "drop", nodes: 1, weight: 1, least: 20 * time.Second, most: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Mode = pick(on, demo.Drop) }), causes: hanging, unwell: true},
	{name: "fail", nodes: 1, weight: 2, least: 5 * time.Second, most: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Failing = pick(on, "/") }), causes: hanging, unwell: true},
	{name: "fail-page", nodes: 1, weight: 2, least: 5 * time.Second, most: 2 * time.Minute, steps: failPage, causes: hanging, unwell: true},
	{name: "paused", nodes: 1, weight: 1, least: 45 * time.Second, most: 3 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Paused = pick(on, "maintenance") }), fits: tells, causes: []checks.Code{checks.NodePaused}, word: true, must: 45 * time.Second},
	{name: "forget", nodes: 1, weight: 1, least: 20 * time.Second, most: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Forgetful = on }), fits: Setup.sessions, causes: []checks.Code{checks.SessionLost, checks.SessionNotShared}},
	{name: "rollback", nodes: 1, weight: 1, least: 20 * time.Second, most: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Rollback = on }), fits: stores, causes: []checks.Code{checks.SessionRollback}},
	{name: "scatter", weight: 1, least: 20 * time.Second, most: 2 * time.Minute, fits: sticks, steps: scatter, causes: []checks.Code{checks.SessionDrift}},
	{name: "cache", weight: 1, least: 30 * time.Second, most: 2 * time.Minute, steps: cache, causes: []checks.Code{"session_leaked"}},
	{
		name: "store-down", weight: 1, least: 20 * time.Second, most: 2 * time.Minute, fits: Setup.shared, steps: storeDown, unwell: true, word: true,
		causes: append([]checks.Code{checks.DependencyDown, checks.NodePaused}, hanging...),
	},
	{name: "store-flush", weight: 1, fits: Setup.shared, steps: moment("flush the session store", func(w *world) error { w.sessions.flush(); return nil }), causes: []checks.Code{checks.SessionLost}},

	{name: "lost-packets", weight: 2, least: 30 * time.Second, most: 3 * time.Minute, steps: lose, causes: []checks.Code{checks.Slow, checks.NodeEjected, checks.BalancerSplit, checks.BalancerError, "prober_impaired"}},
	{name: "busy-prober", weight: 2, least: 5 * time.Second, most: 40 * time.Second, steps: busy},
}

// kindOf finds a kind by its name.
func kindOf(name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

func moreNodesThan(n int) func(Setup) bool { return func(s Setup) bool { return s.Nodes > n } }

// stores reports whether canaries store a counter.
func stores(s Setup) bool { return s.sessions() && s.Profile != "ebridge" && s.Profile != "tomcat-msm" }

// tells reports whether nodes have a status that says whether they are paused.
func tells(s Setup) bool { return s.Profile == "generic" || s.Profile == "strategy-collaboration" }

// sticks reports whether clients depend on the balancer's sending them home.
func sticks(s Setup) bool { return s.Policy == probes.PolicySticky && s.sessions() }

// pick is value while a fault is on.
func pick[T any](on bool, value T) (out T) {
	if on {
		return value
	}
	return out
}
