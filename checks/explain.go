package checks

import (
	"slices"
	"strings"
)

// A rule says that findings of one code are caused by a finding of another, if
// both are there and fit.
type rule struct {
	effect, cause Code
	fits          func(effect, cause Finding) bool
}

// rules, the more particular cause first: a finding is explained by the first
// that fits, and that it does not explain itself.
var rules = []rule{
	{BalancerError, NodeFailingInRotation, mayCause},
	{BalancerError, NodeDown, mayCause},
	{BalancerError, NodePaused, mayCause},
	{BalancerError, Slow, tookTooLong},
	{BalancerError, NodeRestarted, followsNode},
	{BalancerDown, NodeDown, noNodeUp},
	{BalancerError, NodeDown, noNodeUp},
	{BalancerSplit, NodeEjected, mayCause},
	{BalancerSplit, SessionDrift, atOneOf},
	{BalancerRemapped, NodeDown, followsNode},
	{BalancerRemapped, NodeRestarted, followsNode},
	{NodePaused, DependencyDown, reportedBy},
	{NodeDown, DependencyDown, suffers},
	{DependencyDisputed, DependencyDown, sameDependency},
	{NodeFailingInRotation, NodeDown, sameNode},
	{NodeFailingInRotation, PageFailing, sameNode},
	{NodeFailingInRotation, NodePaused, sameNode},
	{PageFailing, PageFailing, samePage},
	{PageFailing, NodeFailingInRotation, mayCause},
	{PageFailing, NodeDown, mayCause},
	{PageFailing, NodeDown, noNodeUp},
	{HandshakeBroken, BalancerDown, onlyThere},
	{HandshakeBroken, BalancerError, onlyThere},
	{HandshakeBroken, HandshakeBroken, mayCauseOrUntold},
	{HandshakeBroken, NodePaused, mayCauseOrUntold},
	{HandshakeBroken, SessionDrift, seenThrough},
	{HandshakeBroken, BalancerSplit, seenThrough},
	{HandshakeBroken, NodeFailingInRotation, mayCauseOrUntold},
	{SessionFailing, PageFailing, throughBalancer},
	{SessionFailing, NodeDown, atOneOf},
	{NodeFailingInRotation, SessionFailing, forSessions},
	{SessionFailing, DependencyDown, storedThere},
	{SessionFailing, BalancerError, always},
	{PageFailing, SessionFailing, always},
	{HandshakeBroken, NodeDown, noNodeUp},
	{UpgradeRefused, NodeDown, noNodeUp},
	{SessionDrift, CookieRejected, always},
	{SessionLost, SessionLeaked, always},
	{SessionRollback, SessionLeaked, always},
	{NodeEjected, SessionLeaked, always},
	{SessionLost, BalancerRemapped, lostByMove},
	{SessionLost, CookieRejected, always},
	{SessionLost, ClockSkew, refusedByClock},
	{SessionNotShared, ClockSkew, refusedByClock},
	{SessionLost, SessionDrift, lostByMove},
	{SessionLost, SessionNotShared, lostByMove},
	{SessionLost, DependencyDown, storedThere},
	{SessionLost, SessionLost, gone},
	{SessionLost, BalancerSplit, lostByMove},
	{SessionLost, NodeEjected, lostByMove},
	{SessionNotShared, DependencyDown, storedThere},
	{SessionDrift, NodeDown, noNodeUp},
	{SessionLost, NodeDown, noNodeUp},
	{SessionRollback, NodeDown, noNodeUp},
	{SessionNotShared, NodeDown, noNodeUp},
	{Slow, DependencyDown, reportedBy},
	{Slow, Slow, throughBalancer},
	{Slow, NodeDown, waitsFor},
	{StartOrder, NodeRestarted, sameNode},
	{NodeEjected, NodeRestarted, whileItRestarted},
	{NodeEjected, Slow, sameNode},
	{SessionNotShared, SessionLost, gone},
	{NodeRestarted, NodeRestarted, sumsUp},
	{BalancerSplit, NodeRestarted, mayCause},
	{BalancerSplit, NodeDown, noNodeUp},
}

func always(_, _ Finding) bool { return true }

func sameNode(effect, cause Finding) bool { return effect.Node != "" && effect.Node == cause.Node }

// whileItRestarted: an ejection that is over has ended with the restart that brought
// it about, and one that goes on for a moment ends by itself. One that outlasts that
// is worth a look of its own.
func whileItRestarted(effect, cause Finding) bool {
	return (effect.over || effect.passing) && sameNode(effect, cause)
}

// sumsUp: the line of one node's restart stands below the one about all.
func sumsUp(effect, cause Finding) bool {
	return effect.Target == "" && cause.Target == sessionsLost && slices.Contains(cause.Nodes, effect.Node)
}

// tookTooLong: the balancer gave up a node that answers, too late for it.
func tookTooLong(effect, cause Finding) bool { return effect.waited && cause.Node != "" }

// followsNode: a hash over the servers that are left sends clients of others
// elsewhere, too, and a balancer that has given up every node has none left.
func followsNode(effect, cause Finding) bool { return slices.Contains(effect.follows, cause.Node) }

// refusedByClock: a node whose clock is off takes sessions of others for expired,
// or gives out what the others take for that.
func refusedByClock(effect, cause Finding) bool { return cause.expires && atOneOf(effect, cause) }

// gone: sessions that their own node has lost, or that are gone everywhere, are
// known nowhere else.
func gone(effect, cause Finding) bool {
	return cause.Target == "" && (effect.Code != SessionLost || effect.Target == afterMove && atOneOf(effect, cause))
}

// forSessions: the node is well when it is asked directly, and fails those that
// hold a session.
func forSessions(effect, cause Finding) bool { return !effect.erring && atOneOf(effect, cause) }

// atOneOf: the cause is about a node that the effect names.
func atOneOf(effect, cause Finding) bool {
	return slices.ContainsFunc(cause.Nodes, func(id string) bool { return slices.Contains(effect.Nodes, id) })
}

func sameDependency(effect, cause Finding) bool { return effect.Dependency == cause.Dependency }

// suffers: a node that answers with errors, and not one that does not answer,
// may suffer from a service that it complains of, or that is down for us, too.
func suffers(effect, cause Finding) bool {
	return effect.erring && (cause.unanswered || reportedBy(effect, cause))
}

// storedThere: sessions go with the store that they are kept in. Which of the
// dependencies that is nobody has said, so it is one that could be.
func storedThere(effect, cause Finding) bool {
	return cause.store || slices.ContainsFunc(effect.Nodes, func(id string) bool { return slices.Contains(cause.Nodes, id) })
}

// onlyThere: the handshake broke at this address of the balancer, and at none
// besides.
func onlyThere(effect, cause Finding) bool {
	return len(effect.frontends) == 1 && effect.frontends[0] == cause.Target
}

// waitsFor: what is slow through the balancer may wait for a node that hangs,
// not for one that refuses at once.
func waitsFor(effect, cause Finding) bool { return throughBalancer(effect, cause) && cause.unanswered }

// noNodeUp: while no node is up, what clients meet at the balancer is no cause of
// its own.
func noNodeUp(effect, cause Finding) bool {
	return cause.Group == AllNodesDown && (effect.Node == "" || slices.Contains(clusterWide, effect.Code))
}

func reportedBy(effect, cause Finding) bool { return slices.Contains(cause.Nodes, effect.Node) }

// seenThrough: what is seen at a node itself is not the balancer's doing.
func seenThrough(effect, _ Finding) bool { return effect.Node == "" }

// throughBalancer: what is seen through the balancer has its cause at a node.
func throughBalancer(effect, cause Finding) bool { return effect.Node == "" && cause.Node != "" }

// mayCause: what is seen through the balancer names the nodes that may have
// caused it.
func mayCause(effect, cause Finding) bool {
	return throughBalancer(effect, cause) && slices.Contains(effect.Nodes, cause.Node)
}

func mayCauseOrUntold(effect, cause Finding) bool {
	return throughBalancer(effect, cause) && (len(effect.Nodes) == 0 || slices.Contains(effect.Nodes, cause.Node))
}

// samePage: a page fails through the balancer because it fails on a node.
func samePage(effect, cause Finding) bool {
	page, _, _ := strings.Cut(effect.Target, " (") // without the balancer's address
	return mayCause(effect, cause) && strings.HasSuffix(page, cause.Target)
}

// lostByMove: only a session that another node was asked for can be lost by
// that. What its own node lost has a cause of its own.
func lostByMove(effect, _ Finding) bool { return effect.Target == afterMove }

// explain marks each finding that another one causes, and orders them: the
// cause of the worst first, each followed by what it explains.
func explain(findings []Finding) []Finding {
	t := tree{findings: findings, causes: make([]int, len(findings)), worst: make([]int, len(findings))}
	for i := range t.causes {
		t.causes[i] = none
	}
	for i := range findings {
		t.causes[i] = t.causeOf(i)
		if t.causes[i] != none {
			findings[i].ExplainedBy = findings[t.causes[i]].Key()
		}
	}
	for i, f := range findings {
		for at := i; at != none; at = t.causes[at] {
			t.worst[at] = max(t.worst[at], f.Severity.rank())
		}
	}
	return t.ordered(none)
}

// A tree is findings by what causes them.
type tree struct {
	findings []Finding
	causes   []int // by finding: the one that explains it, or none
	worst    []int // by finding: the worst severity of it and all that it explains
}

// none is the cause of what nothing explains.
const none = -1

// ordered lists what a cause explains, each with what it explains in turn.
func (t tree) ordered(cause int) []Finding {
	var effects []int
	for i := range t.findings {
		if t.causes[i] == cause {
			effects = append(effects, i)
		}
	}
	slices.SortStableFunc(effects, func(a, b int) int { return t.worst[b] - t.worst[a] })
	var list []Finding
	for _, i := range effects {
		list = append(append(list, t.findings[i]), t.ordered(i)...)
	}
	return list
}

// causeOf returns the index of the finding that explains effect, or none. A
// finding that effect itself explains is no cause of it.
func (t tree) causeOf(effect int) int {
	for _, r := range rules {
		if r.effect != t.findings[effect].Code {
			continue
		}
		for i, cause := range t.findings {
			if cause.Code == r.cause && r.fits(t.findings[effect], cause) && !t.isCauseOf(i, effect) {
				return i
			}
		}
	}
	return none
}

// isCauseOf reports whether a finding is another one, or explained by it, over any
// number of steps.
func (t tree) isCauseOf(finding, other int) bool {
	for at := finding; at != none; at = t.causes[at] {
		if at == other {
			return true
		}
	}
	return false
}
