package sim

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// An operationKind is a kind of operation, with the reports that are correct for it.
type operationKind struct {
	name   string
	nodes  int // number of nodes affected; all: every node
	weight int // relative frequency in random schedules
	minFor time.Duration
	maxFor time.Duration // bounds of For; 0: the operation has no duration
	fits   func(Setup) bool
	steps  func(Operation, Setup) []step

	causes       []checks.Code // causes that an incident about it may have
	unhealthy    bool          // its nodes are unhealthy: under the policy sticky their lost sessions are explained
	announced    bool          // the operation is announced, and summarised at its end
	selfReported bool          // critical without harm to users, because nodes report that they are paused
	losesForSure bool          // every session on its nodes is lost or stale, also where no user of the population holds one: a canary's counts by the scale
	undoCounts   bool          // undoing it is an event of its own
	addsNodes    bool          // it starts nodes that the schedule does not name, and stops them when it is undone
	notifyFrom   time.Duration // from this duration it requires an incident even without harm to users; 0: only with harm
}

const all = -1

// A step is an action of an operation at one time.
type step struct {
	after time.Duration // offset from the beginning of the operation
	what  string
	do    func(*environment) error
}

var (
	down     = []checks.Code{checks.NodeDown, checks.NodeRestarted, checks.BalancerError} // the last one applies when every node is ejected
	hanging  = []checks.Code{checks.NodeDown, checks.NodeFailingInRotation, checks.Slow, checks.PageFailing, checks.BalancerError, "session_failing"}
	remapped = []checks.Code{"balancer_remapped"}
)

// operationKinds lists every kind of operation: outages of nodes and of the balancer,
// changes of the balancer's list, faults of applications, and disturbances of the
// monitor.
var operationKinds = []operationKind{
	{name: "restart", nodes: 1, weight: 4, minFor: 500 * time.Millisecond, maxFor: 8 * time.Second, steps: outage, causes: down, unhealthy: true},
	{name: "rolling", nodes: all, weight: 4, minFor: 500 * time.Millisecond, maxFor: 5 * time.Second, steps: rolling, causes: down, unhealthy: true},
	{name: "deploy", nodes: all, weight: 4, minFor: 500 * time.Millisecond, maxFor: 5 * time.Second, steps: deploy, unhealthy: true, announced: true, notifyFrom: 1},
	{name: "kill", nodes: 1, weight: 4, minFor: 20 * time.Second, maxFor: 4 * time.Minute, steps: outage, causes: down, unhealthy: true, notifyFrom: 75 * time.Second},
	{name: "kill-two", nodes: 2, weight: 2, minFor: 20 * time.Second, maxFor: 2 * time.Minute, fits: moreNodesThan(2), steps: staggered, causes: down, unhealthy: true, notifyFrom: 75 * time.Second},
	{name: "machine", nodes: 1, weight: 2, minFor: 20 * time.Second, maxFor: 3 * time.Minute, steps: partition, causes: append([]checks.Code{checks.NodeRestarted}, hanging...), unhealthy: true, notifyFrom: 75 * time.Second},
	{
		name: "all-down", nodes: all, weight: 1, minFor: 5 * time.Second, maxFor: 90 * time.Second, steps: outage,
		causes: append([]checks.Code{checks.BalancerDown}, down...), unhealthy: true,
	},
	{name: "flap", nodes: 1, weight: 2, minFor: 40 * time.Second, maxFor: 2 * time.Minute, steps: flap, causes: down, unhealthy: true},
	{name: "balancer-down", weight: 1, minFor: 2 * time.Second, maxFor: time.Minute, steps: balancerDown, causes: []checks.Code{checks.BalancerDown}},

	{name: "reload", weight: 2, steps: singleStep("reload", func(w *environment) error { return w.cluster.Reload() }), causes: remapped},
	{
		name: "remove", nodes: 1, weight: 2, minFor: 30 * time.Second, maxFor: 4 * time.Minute, fits: moreNodesThan(2),
		steps: withUndo((*environment).removeServer, (*environment).addServer), undoCounts: true, causes: append([]checks.Code{checks.NodeEjected}, remapped...),
	},
	{
		name: "scale-out", weight: 1, minFor: time.Minute, maxFor: 4 * time.Minute, steps: scaleOut, undoCounts: true, addsNodes: true,
		causes: append([]checks.Code{checks.UnknownNode}, remapped...),
	},
	{
		name: "blue-green", weight: 1, minFor: time.Minute, maxFor: 4 * time.Minute, steps: blueGreen, undoCounts: true,
		causes: append([]checks.Code{checks.UnknownNode, checks.NodeEjected}, remapped...),
	},
	{name: "deploy-blue-green", nodes: all, weight: 1, minFor: 30 * time.Second, maxFor: 3 * time.Minute, steps: deployBlueGreen, unhealthy: true, announced: true, notifyFrom: 1},
	{name: "reverse", weight: 1, minFor: time.Minute, maxFor: 4 * time.Minute, steps: withUndo(reverse, reverse), undoCounts: true, causes: remapped},
	{
		name: "drain", nodes: 1, weight: 2, minFor: 30 * time.Second, maxFor: 4 * time.Minute,
		steps: withUndo(serverState(demo.ServerDrain), serverState(demo.ServerReady)), undoCounts: true,
		causes: append([]checks.Code{checks.NodeEjected, checks.BalancerError}, remapped...), // an error if no other node is left
	},

	{name: "slow", nodes: 1, weight: 2, minFor: 20 * time.Second, maxFor: 3 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Delay = valueIf(on, 3*time.Second) }), causes: append([]checks.Code{checks.NodeEjected}, hanging...), unhealthy: true},
	{name: "hang", nodes: 1, weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Mode = valueIf(on, demo.Hang) }), causes: hanging, unhealthy: true},
	{name: "drop", nodes: 1, weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Mode = valueIf(on, demo.Drop) }), causes: hanging, unhealthy: true},
	{name: "fail", nodes: 1, weight: 2, minFor: 5 * time.Second, maxFor: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Failing = valueIf(on, "/") }), causes: hanging, unhealthy: true},
	{name: "fail-page", nodes: 1, weight: 2, minFor: 5 * time.Second, maxFor: 2 * time.Minute, steps: failPage, causes: hanging, unhealthy: true},
	{name: "paused", nodes: 1, weight: 1, minFor: 45 * time.Second, maxFor: 3 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Paused = valueIf(on, "maintenance") }), fits: reportsPaused, causes: []checks.Code{checks.NodePaused}, selfReported: true, notifyFrom: 45 * time.Second},
	{name: "forget", nodes: 1, weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Forgetful = on }), fits: Setup.sessions, causes: []checks.Code{checks.SessionLost, checks.SessionNotShared}, losesForSure: true},
	{name: "rollback", nodes: 1, weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.Rollback = on }), fits: stores, causes: []checks.Code{checks.SessionRollback, checks.SessionLost}, losesForSure: true},
	{name: "scatter", weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, fits: sticky, steps: scatter, causes: []checks.Code{checks.SessionDrift}},
	{name: "cache", weight: 1, minFor: 30 * time.Second, maxFor: 2 * time.Minute, steps: cache, causes: []checks.Code{"session_leaked"}},
	{
		name: "store-down", weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, fits: Setup.shared, steps: storeDown, unhealthy: true, selfReported: true,
		causes: append([]checks.Code{checks.DependencyDown, checks.NodePaused}, hanging...),
	},
	{name: "store-flush", weight: 1, fits: Setup.shared, steps: singleStep("flush the session store", func(w *environment) error { w.sessions.flush(); return nil }), causes: []checks.Code{checks.SessionLost}},
	{
		name: "store-failover", weight: 1, minFor: 2 * time.Second, maxFor: 30 * time.Second, fits: Setup.shared, steps: storeFailover, unhealthy: true, selfReported: true,
		causes: append([]checks.Code{checks.DependencyDown, checks.NodePaused, checks.SessionLost}, hanging...),
	},
	{name: "wrong-clock", nodes: 1, weight: 1, minFor: 45 * time.Second, maxFor: 3 * time.Minute, steps: fault(func(f *demo.NodeFaults, on bool) { f.ClockOffset = valueIf(on, 10*time.Minute) }), causes: []checks.Code{checks.ClockSkew}, notifyFrom: 90 * time.Second},

	{name: "node-certificate", nodes: 1, weight: 1, minFor: 45 * time.Second, maxFor: 3 * time.Minute, fits: encrypted, steps: expiry, causes: []checks.Code{checks.NodeDown, checks.CertificateExpiring}, notifyFrom: 75 * time.Second},
	{name: "balancer-certificate", weight: 1, minFor: 20 * time.Second, maxFor: 2 * time.Minute, fits: encrypted, steps: expiry, causes: []checks.Code{checks.BalancerDown, checks.CertificateExpiring}},

	{name: "lost-packets", weight: 2, minFor: 30 * time.Second, maxFor: 3 * time.Minute, steps: packetLoss, causes: []checks.Code{checks.Slow, checks.NodeEjected, checks.BalancerSplit, checks.BalancerError, "prober_impaired"}},
	{name: "busy-prober", weight: 2, minFor: 5 * time.Second, maxFor: 40 * time.Second, steps: starveProber},
}

// losesSessions reports whether users lose sessions of healthy nodes by operations of the kind.
func (k operationKind) losesSessions() bool {
	return !k.unhealthy && slices.ContainsFunc(k.causes, func(c checks.Code) bool {
		return c == checks.BalancerRemapped || c == checks.SessionDrift || c == checks.SessionLost || c == checks.SessionLeaked
	})
}

// operationKindOf finds a kind by name.
func operationKindOf(name string) (operationKind, bool) {
	i := slices.IndexFunc(operationKinds, func(k operationKind) bool { return k.name == name })
	if i < 0 {
		return operationKind{}, false
	}
	return operationKinds[i], true
}

func moreNodesThan(n int) func(Setup) bool { return func(s Setup) bool { return s.Nodes > n } }

func encrypted(s Setup) bool { return s.TLS }

// stores reports whether canaries store a counter.
func stores(s Setup) bool { return s.sessions() && s.Profile != "ebridge" && s.Profile != "tomcat-msm" }

// reportsPaused reports whether the status of nodes shows that they are paused.
func reportsPaused(s Setup) bool {
	return s.Profile == "generic" || s.Profile == "strategy-collaboration"
}

// sticky reports whether clients depend on the balancer returning them to their node.
func sticky(s Setup) bool { return s.Policy == probes.PolicySticky && s.sessions() }

// valueIf returns value if the fault is on, else the zero value.
func valueIf[T any](on bool, value T) (out T) {
	if on {
		return value
	}
	return out
}
