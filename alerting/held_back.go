package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Deployment is an announced change of a cluster. During the deployment and a grace
// period after its end, receivers are not notified of findings that it explains. Then
// they are sent one summary.
type Deployment struct {
	ID      string
	Cluster string
	Name    string    // a version or a ticket, for example
	Nodes   []string  // the nodes that change, as announced; empty: any
	From    time.Time // when it was announced
	To      time.Time // its announced end; zero: it is ongoing

	Touched      []string       // names of the nodes that were observed down, restarted, ejected, or drained since From
	CanariesLost int            // canary sessions that were lost since From
	LastLost     time.Time      // when the last of them was lost; zero: none was
	Watched      *WatchedCounts // the results of a client that watched it; nil: none reported any
	Summed       time.Time      // when its summary was created; zero: it was not
}

// WatchedCounts are the results of a client that held sessions during a deployment.
type WatchedCounts struct {
	Moved   int           // sessions that were answered by another node, lost or not
	Lost    int           // sessions that were lost or had stale contents
	Longest time.Duration // the longest time without a successful response
}

// The bounds of a deployment.
const (
	// LongestDeployment is when a deployment without an announced end ends.
	LongestDeployment = 4 * time.Hour
	// defaultGrace is the grace period of a deployment unless the configuration sets
	// one.
	defaultGrace = 30 * time.Second
	// maxUnserved is how long clients may get no response during a deployment.
	maxUnserved = time.Minute
	// EventMemory is how long after its summary a deployment explains events that
	// happened during it, because an event is reported for a while after it happened.
	EventMemory = 10 * time.Minute
	// lossSettleTime is how long a lost session of an untouched node is held back,
	// until a round shows whether the node was restarted.
	lossSettleTime = 5 * time.Second
)

// End returns the latest end of the deployment.
func (d Deployment) End() time.Time {
	if longest := d.From.Add(LongestDeployment); d.To.IsZero() || longest.Before(d.To) {
		return longest
	}
	return d.To
}

// explainsAt reports whether a time is within the deployment or its grace period.
func (d Deployment) explainsAt(at time.Time, grace time.Duration) bool {
	return !at.Before(d.From) && at.Before(d.End().Add(grace))
}

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
	checks.HandshakeBroken:       Deployment.explainsPage,
	checks.UpgradeRefused:        Deployment.explainsPage,
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
	if found.Node != "" && found.Code != checks.HandshakeBroken && found.Code != checks.UpgradeRefused {
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
	case at.Sub(found.Since) < lossSettleTime:
		return holdUnsettled
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

// TouchedIn returns the nodes of a round that were down, paused, restarted, ejected,
// or drained since a time. A single round is enough, because the same round shows the
// consequences for sessions.
func TouchedIn(c *probes.Cluster, r checks.Report, since time.Time) []string {
	var touched []string
	for _, n := range r.Nodes {
		down := !n.Up && n.Primary.Failure != "" && n.Primary.Failure != probes.FailureCancelled
		if down || n.InRotation == checks.No || n.Status.Paused() || r.Timelines.DisruptedSince(n.Node, since) {
			touched = append(touched, n.Node)
		}
	}
	for _, f := range r.Findings { // some of them may not be confirmed
		if f.Code == checks.NodeDown || f.Code == checks.NodeEjected {
			touched = append(touched, f.Node)
		}
	}
	return slices.DeleteFunc(touched, func(id string) bool {
		return !slices.ContainsFunc(c.Nodes, func(n probes.Node) bool { return n.ID == id && !n.Down })
	})
}

// outNow returns the nodes that findings report down or ejected.
func outNow(active []checks.ActiveFinding) (nodes []string) {
	for _, f := range active {
		if f.Node != "" && (f.Code == checks.NodeDown || f.Code == checks.NodeEjected) {
			nodes = append(nodes, f.Node)
		}
	}
	return nodes
}
