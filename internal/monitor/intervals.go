package monitor

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// Intervals says how often what is asked for anew.
type Intervals struct {
	Canary     time.Duration // how often Visit is called; 0: never
	Status     time.Duration // in trouble, at least so often a whole round is taken
	NewClients time.Duration // while all is well; 0: two minutes
	CanaryAge  time.Duration // after which a canary makes room for a new one; 0: ten minutes
	Damping    checks.Damping
}

// maxRoundAge is how old the last whole round may be. A little is forgiven, lest the
// schedule's jitter skip every second one.
func (w *Watcher) maxRoundAge() time.Duration {
	if w.hasProblems() || w.cluster.Session == nil {
		return w.intervals.Status * 3 / 4
	}
	return max(w.intervals.NewClients, w.intervals.Status) * 9 / 10
}

// hasProblems reports whether something is wrong that a whole round is needed to
// see the end of, or may be: an ejection that is information yet may last.
func (w *Watcher) hasProblems() bool {
	return !w.ledger.Settled() || len(w.lastReport.Doubts) > 0 ||
		slices.ContainsFunc(w.lastReport.Findings, func(f checks.Finding) bool {
			return (f.Severity.AtLeast(checks.Warning) || f.Code == checks.NodeEjected) && !slices.Contains(statusOnlyCodes, f.Code)
		})
}

// statusOnlyCodes are findings that the status tells, their end included. They may last
// for weeks, and no session need be opened for them.
var statusOnlyCodes = []checks.Code{checks.CertificateExpiring, checks.ClockSkew, checks.SettingsSkew, checks.StartOrder}

// maxMisses is how many visits in a row may meet a node not at all before that is
// odd. Chance would have it so about once an hour; but where a balancer of
// nginx's kind has a node out for a short while, they must fit into that, at the
// price of rounds taken in vain. A healthy cluster of 2, 3, 5 nodes behind random,
// visited each 3 s and its status asked each 15 s, takes 30 whole rounds an hour
// for newcomers each two minutes. With a fail_timeout of 20 s it takes 31, 33, 37,
// and with nginx's 10 s, 95, 146, 193.
func (w *Watcher) maxMisses(node string, canaries int) int {
	at := slices.IndexFunc(w.cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
	share := checks.Share(w.cluster.Nodes[at], checks.Serving(w.cluster, nil))
	followUps := (checks.FreshClients(share, w.prober.confidence()) + canaries - 1) / max(1, canaries)
	if b := w.cluster.Balancer; b.FailTimeout > 0 && w.intervals.Canary > 0 && b.Method != probes.MethodCookie {
		followUps = min(followUps, int(b.FailTimeout/w.intervals.Canary)-1)
	}
	return max(2, followUps)
}
