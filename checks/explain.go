package checks

import (
	"slices"
	"strings"
)

// A possibleCause is a finding that may explain another one: it has the code, and fits
// is true of both.
type possibleCause struct {
	code Code
	fits func(effect, cause Finding) bool
}

// causes lists, by the code of the effect, what may explain it. The first that fits, and
// that the effect does not itself explain, is its cause; so the more specific come first.
var causes = map[Code][]possibleCause{
	BalancerDown: {
		{CertificateExpiring, sameCertificate},
		{NodeDown, noNodeUp},
	},
	BalancerError: {
		{NodeFailingInRotation, namesNode},
		{NodeDown, namesNode},
		{NodePaused, namesNode},
		{Slow, tookTooLong},
		{NodeRestarted, followsNode},
		{Slow, byLostPackets},
		{NodeDown, noNodeUp},
		{SessionFailing, forClientsWithSession},
		{NodeRestarted, inHarmfulLoop},
	},
	BalancerSplit: {
		{NodeEjected, namesNode},
		{Slow, byLostPackets},
		{SessionDrift, atOneOf},
		{SessionLeaked, always}, // an answer to one client that a cache gives to others names its node, too
		{NodeRestarted, namesNode},
		{SessionLost, lostAnywhere},
		{SessionNotShared, lostAnywhere},
		{DependencyDown, lostAnywhere},
		{NodeDown, noNodeUp},
	},
	BalancerRemapped: {
		{NodeDown, followsNode},
		{NodeRestarted, followsRestart},
		{NodePaused, followsNode},
		{Slow, followsNode},
		{NodeEjected, followsFailure},
		{Slow, byLostPackets},
		{SessionLeaked, always},
	},
	NodeDown: {
		{NodeRestarted, inLoop},
		{CertificateExpiring, sameCertificate},
		{DependencyDown, suffers},
	},
	NodeRestarted: {
		{NodeRestarted, inLoop},
		{NodeRestarted, sumsUp},
	},
	NodePaused: {
		{DependencyDown, reportedBy},
	},
	NodeEjected: {
		{SessionLeaked, always},
		{NodeRestarted, whileItRestarted},
		{BalancerRemapped, takenOut},
		{Slow, sameNode},
		{Slow, byLostPackets},
	},
	NodeFailingInRotation: {
		{NodeDown, sameNode},
		{PageFailing, sameNode},
		{NodePaused, sameNode},
		{SessionFailing, forSessions},
		{NodeRestarted, failedByRestart},
	},
	UnknownNode: {
		{BalancerRemapped, byAddedServer},
	},
	StartOrder: {
		{NodeRestarted, sameNode},
	},
	DependencyDisputed: {
		{DependencyDown, sameDependency},
	},
	PageFailing: {
		{PageFailing, samePage},
		{DependencyDown, suffers},
		{NodeFailingInRotation, namesNode},
		{NodeDown, namesNode},
		{NodeDown, noNodeUp},
		{SessionFailing, always},
	},
	Slow: {
		{DependencyDown, reportedBy},
		{Slow, throughBalancer},
		{NodeDown, waitsFor},
		{NodeRestarted, retriedThere},
	},
	HandshakeBroken: {
		{BalancerDown, onlyThere},
		{BalancerError, onlyThere},
		{HandshakeBroken, namesNodeOrNone},
		{NodeDown, followsNode},
		{NodeRestarted, followsNode},
		{NodePaused, namesNodeOrNone},
		{SessionDrift, seenThrough},
		{BalancerSplit, seenThrough},
		{NodeFailingInRotation, namesNodeOrNone},
		{Slow, byLostPackets},
		{NodeDown, noNodeUp},
		{SessionLeaked, always},
	},
	UpgradeRefused: {
		{NodeDown, noNodeUp},
	},
	LoginFailing: {
		{SessionDrift, always}, // the form reaches another node than its page came from
		{BalancerDown, always},
	},
	SessionFailing: {
		{PageFailing, throughBalancer},
		{NodeDown, atOneOf},
		{DependencyDown, storedThere},
		{BalancerError, forEverybody},
		{Slow, byLostPackets},
	},
	SessionDrift: {
		{CookieRejected, always},
		{Slow, byLostPackets},
		{SessionLeaked, always},
		{NodeDown, noNodeUp},
	},
	SessionLost: {
		{SessionLeaked, always},
		{BalancerRemapped, lostByMove},
		{CookieRejected, always},
		{ClockSkew, refusedByClock},
		{SessionDrift, lostByMove},
		{SessionNotShared, lostByMove},
		{DependencyDown, storedThere},
		{SessionLost, gone},
		{BalancerSplit, lostByMove},
		{NodeEjected, lostByMove},
		{Slow, movedByLostPackets},
		{NodeDown, noNodeUp},
	},
	SessionRollback: {
		{SessionLeaked, always},
		{SessionDrift, staleByMove},
		{SessionNotShared, staleByMove},
		{BalancerRemapped, staleByMove},
		{BalancerSplit, staleByMove},
		{DependencyDown, storedThere},
		{NodeDown, noNodeUp},
	},
	SessionNotShared: {
		{ClockSkew, refusedByClock},
		{DependencyDown, storedThere},
		{NodeDown, noNodeUp},
		{SessionLost, gone},
	},
}

// MayExplain reports whether a finding may be the cause of another one.
func MayExplain(effect, cause Finding) bool {
	return slices.ContainsFunc(causes[effect.Code], func(possible possibleCause) bool {
		return possible.code == cause.Code && possible.fits(effect, cause)
	})
}

func always(_, _ Finding) bool { return true }

// lostAnywhere is true of sessions that are lost at another address of the balancer, if nodes lose them
// anyway.
func lostAnywhere(effect, cause Finding) bool {
	return effect.facts.byLoss && cause.Target != afterMove
}

func sameNode(effect, cause Finding) bool { return effect.Node != "" && effect.Node == cause.Node }

// sameCertificate is true of a node or balancer address that seems to be down because its
// certificate has expired.
func sameCertificate(effect, cause Finding) bool {
	return cause.facts.refused && effect.Node == cause.Node && effect.Target == cause.Target
}

// whileItRestarted is true of an ejection that has ended, since the restart explains
// it, and of one by the restart that is expected to end by itself. An ejection that lasts
// longer is a finding of its own.
func whileItRestarted(effect, cause Finding) bool {
	return (effect.facts.ended || effect.facts.passing && !effect.facts.unprovoked) && sameNode(effect, cause)
}

// inLoop is true of the restarts and outages of a node that is in a crash loop, and of
// what they cost.
func inLoop(effect, cause Finding) bool {
	return cause.Target == crashLoop && effect.Target != crashLoop && slices.Equal(effect.Nodes, cause.Nodes)
}

// inHarmfulLoop is true of errors that name no node, and that clients get while they may meet the
// consequences of a crash loop that costs them answers.
func inHarmfulLoop(effect, cause Finding) bool {
	felt := Span{cause.observed.harm.From, cause.observed.harm.To.Add(cause.facts.aftermath)}
	return cause.Target == crashLoop && cause.Severity == Critical && len(effect.Nodes) == 0 && effect.observed.harm.meets(felt)
}

// sumsUp is true of the finding of one node's restart and the one that sums up the
// cost of all.
func sumsUp(effect, cause Finding) bool {
	return effect.Target == "" && cause.Target == sessionsLost && slices.Contains(cause.Nodes, effect.Node)
}

// tookTooLong is true if the balancer gave up waiting for a node that answers.
func tookTooLong(effect, cause Finding) bool { return effect.facts.waited && cause.Node != "" }

// forClientsWithSession is true of errors of the balancer that only clients with a session get,
// because a node does not answer these.
func forClientsWithSession(effect, _ Finding) bool { return effect.facts.onlyWithSession }

func forEverybody(_, cause Finding) bool { return !cause.facts.onlyWithSession }

// byLostPackets is true if packets are lost, so that the balancer may have lost
// connections to its nodes, too. An event long before the first one lost has another cause.
func byLostPackets(effect, cause Finding) bool {
	return cause.Target == lostPacketsTarget && (effect.When.IsZero() || cause.facts.firstPacketLost.Sub(effect.When) <= lossRemembered)
}

func movedByLostPackets(effect, cause Finding) bool {
	return lostByMove(effect, cause) && byLostPackets(effect, cause)
}

// followsNode is true of findings that follow a node's failure. A hash over the
// remaining servers moves clients of other nodes, too, and a balancer that has given
// up every node has none left.
func followsNode(effect, cause Finding) bool {
	return slices.Contains(effect.facts.follows, cause.Node)
}

// followsRestart is true of an event that follows a restart so soon that clients may meet its consequences.
func followsRestart(effect, cause Finding) bool {
	return followsNode(effect, cause) && effect.When.Sub(cause.When) <= cause.facts.aftermath
}

// failedByRestart is true of a node that failed clients until its restart, or within the aftermath.
func failedByRestart(effect, cause Finding) bool {
	return sameNode(effect, cause) && !cause.When.IsZero() && effect.observed.harm.To.Sub(cause.When) <= cause.facts.aftermath
}

// followsFailure is true of an ejection that a failure of the node has caused.
func followsFailure(effect, cause Finding) bool {
	return !cause.facts.unprovoked && followsNode(effect, cause)
}

// takenOut is true of a node that is ready and that the balancer ceased to use, so that it
// placed the clients of other nodes anew: these are harmed without any need.
func takenOut(effect, cause Finding) bool {
	return effect.facts.unprovoked && followsNode(cause, effect)
}

// byAddedServer is true of a remap by a server that was added.
func byAddedServer(_, cause Finding) bool { return cause.facts.serverAdded }

// refusedByClock is true of a node whose clock is so far off that it takes sessions
// of others for expired, or issues sessions that others take for expired.
func refusedByClock(effect, cause Finding) bool {
	return cause.facts.expires && atOneOf(effect, cause)
}

// gone is true of sessions that their own node has lost, or that no node knows: these
// are not known elsewhere either.
func gone(effect, cause Finding) bool {
	return cause.Target == "" && (effect.Code != SessionLost || effect.Target == afterMove && atOneOf(effect, cause))
}

// forSessions is true of a node that answers well when asked directly, and fails
// clients that hold a session.
func forSessions(effect, cause Finding) bool { return !effect.facts.erring && atOneOf(effect, cause) }

// atOneOf is true if the cause is about a node that the effect names.
func atOneOf(effect, cause Finding) bool {
	return slices.ContainsFunc(cause.Nodes, func(id string) bool { return slices.Contains(effect.Nodes, id) })
}

func sameDependency(effect, cause Finding) bool { return effect.Dependency == cause.Dependency }

// suffers is true of a node or page that answers with errors, if the node reports a dependency
// unavailable, or the probe finds it down, or all nodes may store their sessions there.
func suffers(effect, cause Finding) bool {
	return effect.facts.erring && (cause.facts.unanswered || cause.facts.store || reportedBy(effect, cause))
}

// storedThere is true of a dependency that may store the sessions. The configuration
// does not say which one does.
func storedThere(effect, cause Finding) bool {
	return cause.facts.store || atOneOf(effect, cause)
}

// onlyThere is true if the handshake broke at this address of the balancer only.
func onlyThere(effect, cause Finding) bool {
	return slices.Equal(effect.facts.frontends, []string{cause.Target})
}

// waitsFor is true of a slow answer through the balancer that may wait for a node
// which hangs, or for another try on one that refuses connections.
func waitsFor(effect, cause Finding) bool {
	return throughBalancer(effect, cause) && (cause.facts.unanswered || effect.facts.retried)
}

// retriedThere is true of a slow answer through the balancer that waited for another try on a node
// which restarts.
func retriedThere(effect, cause Finding) bool {
	return throughBalancer(effect, cause) && effect.facts.retried
}

// noNodeUp is true of findings at the balancer, and of findings about the whole
// cluster, while no node is up.
func noNodeUp(effect, cause Finding) bool {
	return cause.Group == AllNodesDown && (effect.Node == "" || effect.Code.has(clusterWide))
}

func reportedBy(effect, cause Finding) bool { return slices.Contains(cause.Nodes, effect.Node) }

// seenThrough is true of a finding through the balancer. A finding at a node itself
// is not caused by the balancer.
func seenThrough(effect, _ Finding) bool { return effect.Node == "" }

// throughBalancer is true of a finding through the balancer with a cause at a node.
func throughBalancer(effect, cause Finding) bool { return effect.Node == "" && cause.Node != "" }

// namesNode is true of a finding through the balancer that names the node of the cause.
func namesNode(effect, cause Finding) bool {
	return throughBalancer(effect, cause) && slices.Contains(effect.Nodes, cause.Node)
}

func namesNodeOrNone(effect, cause Finding) bool {
	return namesNode(effect, cause) || throughBalancer(effect, cause) && len(effect.Nodes) == 0
}

// samePage is true of a page that fails through the balancer and on a node that the
// effect names.
func samePage(effect, cause Finding) bool {
	page, _, _ := strings.Cut(effect.Target, " (") // without the balancer's address
	return namesNode(effect, cause) && strings.HasSuffix(page, cause.Target)
}

// lostByMove is true of sessions that were lost when another node was asked. Sessions
// that their own node lost have another cause.
func lostByMove(effect, _ Finding) bool { return effect.Target == afterMove }

// staleByMove is true of older contents that clients met after several nodes had answered them.
func staleByMove(effect, _ Finding) bool { return effect.facts.roamed }

// explain marks each finding that another one causes, unless an earlier round knows its
// cause, and orders them: the cause of the worst finding first, each followed by the
// findings that it explains.
func explain(findings []Finding) []Finding {
	t := tree{findings: findings, causes: make([]int, len(findings)), worst: make([]int, len(findings))}
	for i := range t.causes {
		t.causes[i] = none
	}
	for i, f := range findings {
		known := slices.IndexFunc(findings, func(cause Finding) bool { return f.ExplainedBy != "" && cause.Key() == f.ExplainedBy })
		if known != none && t.explainedBy(known, i) { // earlier rounds know causes in a circle
			known, findings[i].ExplainedBy = none, ""
		}
		t.causes[i] = known
	}
	for i, f := range findings { // after the known causes, so that no other one closes a circle with them
		if f.ExplainedBy != "" {
			continue
		}
		if t.causes[i] = t.causeOf(i); t.causes[i] != none {
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

// A tree is findings with their causes.
type tree struct {
	findings []Finding
	causes   []int // by finding: index of the one that explains it, or none
	worst    []int // by finding: worst severity of it and all that it explains
}

// none is the cause of a finding that no other one explains.
const none = -1

// ordered returns the findings that a cause explains, each followed by those that it
// explains in turn.
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

// causeOf returns the index of the finding that explains effect, or none. A finding
// that effect itself explains is not its cause.
func (t tree) causeOf(effect int) int {
	for _, possible := range causes[t.findings[effect].Code] {
		for i, cause := range t.findings {
			if cause.Code == possible.code && possible.fits(t.findings[effect], cause) && !t.explainedBy(i, effect) {
				return i
			}
		}
	}
	return none
}

// explainedBy reports whether a finding is the cause, or is explained by it, directly or not.
func (t tree) explainedBy(finding, cause int) bool {
	for at := finding; at != none; at = t.causes[at] {
		if at == cause {
			return true
		}
	}
	return false
}
