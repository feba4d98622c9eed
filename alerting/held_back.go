package alerting

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// This file has the rules that decide which findings a deployment explains.

// A holdBack is the reason why a deployment explains a finding, or why it does not.
type holdBack string

// The reasons. Findings with a reason that begins with "not" are notified at once.
const (
	holdTouchedNode   holdBack = "touched_node"      // the finding is about a node that the deployment touches
	holdTouchedOwner  holdBack = "touched_owner"     // sessions of touched nodes moved or were lost
	holdShortOutage   holdBack = "short_outage"      // clients have had no response for at most maxUnserved
	holdNewNode       holdBack = "new_node"          // a node answers that is not in the list yet, or is no more
	holdMixedVersions holdBack = "mixed_versions"    // nodes differ because only some have the new version
	holdUnsettled     holdBack = "unsettled"         // a session was lost so recently that the restart of its node may not have been observed
	notLongOutage     holdBack = "not_long_outage"   // clients have had no response for longer than maxUnserved
	notLeaked         holdBack = "not_leaked"        // no deployment gives a client the session of another
	notTouched        holdBack = "not_touched"       // the deployment does not touch the node, or the owner of the sessions
	notByDeployment   holdBack = "not_by_deployment" // deployments do not cause findings of this kind
)

// isHeld reports whether the finding is held back.
func (h holdBack) isHeld() bool {
	return slices.Contains([]holdBack{holdTouchedNode, holdTouchedOwner, holdShortOutage, holdNewNode, holdMixedVersions, holdUnsettled}, h)
}

// isFinal reports whether the finding is notified even if a deployment explains its cause: users are harmed
// more than any deployment may harm them. Other findings that are not explained themselves may be
// consequences of one that is.
func (h holdBack) isFinal() bool { return h == notLeaked || h == notLongOutage }

const (
	// maxUnserved is how long clients may get no response during a deployment.
	maxUnserved = time.Minute
	// lossSettleTime is how long a lost session of an untouched node is held back,
	// until a round shows whether the node was restarted.
	lossSettleTime = 5 * time.Second
)

// explainable has the rule for each code. Findings with other codes are never
// explained.
var explainable = map[checks.Code]func(Deployment, time.Time, checks.ActiveFinding) holdBack{
	checks.NodeDown:              Deployment.explainsDown,
	checks.NodePaused:            Deployment.explainsNode,
	checks.NodeRestarted:         Deployment.explainsNode,
	checks.NodeEjected:           Deployment.explainsNode,
	checks.NodeFailingInRotation: Deployment.explainsNode,
	checks.StartOrder:            Deployment.explainsNode,
	checks.Slow:                  Deployment.explainsPage,
	checks.PageFailing:           Deployment.explainsPage,
	checks.BalancerDown:          Deployment.explainsOutage,
	checks.BalancerError:         Deployment.explainsOutage,
	checks.BalancerSplit:         Deployment.explainsOutage,
	checks.HandshakeBroken:       Deployment.explainsOutage,
	checks.UpgradeRefused:        Deployment.explainsOutage,
	checks.SessionDrift:          Deployment.explainsSessions,
	checks.SessionLost:           Deployment.explainsSessions,
	checks.SessionRollback:       Deployment.explainsSessions,
	checks.SessionNotShared:      Deployment.explainsSessions,
	checks.SessionFailing:        Deployment.explainsFailing,
	checks.BalancerRemapped:      func(Deployment, time.Time, checks.ActiveFinding) holdBack { return holdTouchedOwner },
	checks.UnknownNode:           func(Deployment, time.Time, checks.ActiveFinding) holdBack { return holdNewNode },
	checks.VersionSkew:           func(Deployment, time.Time, checks.ActiveFinding) holdBack { return holdMixedVersions },
	checks.SettingsSkew:          func(Deployment, time.Time, checks.ActiveFinding) holdBack { return holdMixedVersions },
	checks.SessionLeaked:         func(Deployment, time.Time, checks.ActiveFinding) holdBack { return notLeaked },
}

// explains decides whether the deployment explains a finding at a time within it.
func (d Deployment) explains(at time.Time, found checks.ActiveFinding) holdBack {
	rule := explainable[found.Code]
	if rule == nil {
		return notByDeployment
	}
	return rule(d, at, found)
}

// explainsDown: a node that is down counts as touched, unless the announcement names
// other nodes. All nodes may be down for maxUnserved.
func (d Deployment) explainsDown(at time.Time, found checks.ActiveFinding) holdBack {
	if found.Group == checks.AllNodesDown && at.Sub(found.Since) > maxUnserved {
		return notLongOutage
	}
	return d.explainsNode(at, found)
}

func (d Deployment) explainsNode(_ time.Time, found checks.ActiveFinding) holdBack {
	if found.Node != "" && d.touches(found.Node) || found.Node == "" && d.touchesAll(found.Nodes) {
		return holdTouchedNode
	}
	return notTouched
}

// explainsPage: a page may fail at a touched node, and for maxUnserved through the
// balancer.
func (d Deployment) explainsPage(at time.Time, found checks.ActiveFinding) holdBack {
	if found.Node != "" {
		return d.explainsNode(at, found)
	}
	return d.explainsOutage(at, found)
}

func (d Deployment) explainsOutage(at time.Time, found checks.ActiveFinding) holdBack {
	if at.Sub(found.Since) > maxUnserved {
		return notLongOutage
	}
	return holdShortOutage
}

// explainsSessions: sessions of touched nodes may move or be lost.
func (d Deployment) explainsSessions(at time.Time, found checks.ActiveFinding) holdBack {
	switch {
	case d.touchesAll(found.Nodes):
		return holdTouchedOwner
	case at.Sub(found.Since) < lossSettleTime, len(d.Nodes) == 0 && !found.Last.After(found.Since):
		return holdUnsettled // a node that restarted between two requests loses its sessions once
	default:
		return notTouched
	}
}

// explainsFailing: clients with sessions of touched nodes may get errors for
// maxUnserved.
func (d Deployment) explainsFailing(at time.Time, found checks.ActiveFinding) holdBack {
	if at.Sub(found.Since) > maxUnserved {
		return notLongOutage
	}
	return d.explainsSessions(at, found)
}

// touchesAll reports whether the deployment touches all of the nodes. It returns
// false for none.
func (d Deployment) touchesAll(nodes []string) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(node string) bool { return !d.touches(node) })
}

// touches reports whether the deployment changes a node, by its announcement or, if
// that names no nodes, by observation.
func (d Deployment) touches(node string) bool {
	if len(d.Nodes) > 0 {
		return slices.Contains(d.Nodes, node)
	}
	return slices.Contains(d.Touched, node)
}

// deploymentPrefix is the prefix of the reason for which a deployment holds back an
// incident.
const deploymentPrefix = "deployment "

// reason names the deployment that explains a member of an incident; "": none.
func (d *deployments) reason(at time.Time, i *Incident, m Member) string {
	deployment := d.explaining(at, i, m)
	if deployment == nil {
		return ""
	}
	return deploymentPrefix + cmp.Or(probes.Clean(deployment.Name, probes.MaxError), deployment.ID)
}

// BelongsTo reports whether a deployment explained the incident, so that receivers were not
// notified of it, at least for a while.
func (i *Incident) BelongsTo(d checks.Deployment) bool {
	detail := deploymentPrefix + probes.Clean(d.Name, probes.MaxError)
	return i.concerns(d.Cluster) && slices.ContainsFunc(i.Timeline, func(e Event) bool {
		return e.Kind == EventSilenced && e.Reason == ReasonDeployment && e.Detail == detail && !e.At.Before(d.From)
	})
}

// explaining returns the deployment that explains a member of an incident or a cause
// of it; nil: none.
func (d *deployments) explaining(at time.Time, i *Incident, member Member) *Deployment {
	for range i.Findings { // from the member to its cause, and so on; the number of findings ends a cycle
		if deployment := d.explainingCrashLoop(member); deployment != nil {
			return deployment
		}
		when, seen := at, member.lastFound(at)
		if !member.When.IsZero() {
			when, seen = member.When, member.When // an event belongs to its deployment even if that has ended
		}
		for _, deployment := range d.list {
			if deployment.Cluster != member.Cluster || !deployment.explainsAt(seen, d.graceOf(member.Cluster)) {
				continue
			}
			switch hold := deployment.explains(when, member.ActiveFinding); {
			case hold.isHeld():
				return deployment
			case hold.isFinal():
				return nil
			}
		}
		cause := i.member(member.Cluster, member.ExplainedBy)
		if cause == nil {
			return nil
		}
		member = *cause
	}
	return nil
}

// missedFor is how long a finding may be missed by rounds before it is gone.
const missedFor = 30 * time.Second

// lastFound returns the start of the newest round that found a state, at most missedFor before at: one that is not
// found at the end of a deployment's grace period may be about to end.
func (m Member) lastFound(at time.Time) time.Time {
	if earliest := at.Add(-missedFor); m.Last.Before(earliest) {
		return earliest
	}
	return m.Last
}

// explainingCrashLoop returns the newest deployment that explains restarts of a crash loop; nil: there is
// none, or the restarts that no deployment explains are a crash loop of their own. If the restarts have
// cost sessions, a deployment must explain the newest one, because no other finding reports that cost.
func (d *deployments) explainingCrashLoop(member Member) (newest *Deployment) {
	remaining := len(member.Times)
	var ofNewest *Deployment // explains the newest restart; nil: none does
	for _, restart := range member.Times {
		ofNewest = d.explainingRestart(restart, member)
		if ofNewest != nil {
			newest, remaining = ofNewest, remaining-1
		}
	}
	if remaining >= checks.CrashLoopRestarts || ofNewest == nil && member.Summary.Args.Lost > 0 {
		return nil
	}
	return newest
}

// explainingRestart returns the deployment that explains a restart of a crash loop; nil: none.
func (d *deployments) explainingRestart(at time.Time, loop Member) *Deployment {
	list := d.at(at, loop.Cluster)
	i := slices.IndexFunc(list, func(deployment *Deployment) bool { return deployment.explainsNode(at, loop.ActiveFinding).isHeld() })
	if i < 0 {
		return nil
	}
	return list[i]
}
