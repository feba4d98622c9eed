package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Deployment is a change of a cluster that somebody announced. While it goes on,
// and until a grace after its end has passed, nobody is notified of what it
// explains. Then one notification sums it up.
type Deployment struct {
	ID      string
	Cluster string
	Name    string    // what is deployed: a version, a ticket
	Nodes   []string  // the nodes that it changes, as announced; empty: any
	From    time.Time // when it was announced
	To      time.Time // when it was announced to be over; zero: it goes on

	Touched      []string       // nodes that were seen down, restarted, ejected or drained since From, by name
	CanariesLost int            // sessions of canaries that were lost since From
	Watched      *WatchedCounts // what a client that watched it reported at its end; nil: none did
	Summed       time.Time      // when it was summed up; zero: it has not been
}

// WatchedCounts are the results of a client that held sessions through a
// deployment.
type WatchedCounts struct {
	Moved   int           // sessions that another node answered, lost or not
	Lost    int           // sessions that were gone, or had older contents
	Longest time.Duration // the longest time without a good answer
}

// The bounds of a deployment.
const (
	// LongestDeployment is when a deployment that nobody ends is over.
	LongestDeployment = 4 * time.Hour
	// DefaultGrace is how long after its end a deployment still explains findings, if
	// the configuration does not say otherwise.
	DefaultGrace = 30 * time.Second
	// MaxUnserved is how long a deployment may leave clients without an answer.
	MaxUnserved = time.Minute
	// EventMemory is how long after it was summed up a deployment still explains what
	// happened while it went on: an event is reported for a while after it happened.
	EventMemory = 10 * time.Minute
	// lossSettleTime is how long a loss at a node that is not known to be touched waits
	// for a round that shows the node's restart.
	lossSettleTime = 5 * time.Second
)

// End is when the deployment is over at the latest.
func (d Deployment) End() time.Time {
	if longest := d.From.Add(LongestDeployment); d.To.IsZero() || longest.Before(d.To) {
		return longest
	}
	return d.To
}

// ExplainsAt reports whether a moment is within the deployment or the grace after it.
func (d Deployment) ExplainsAt(at time.Time, grace time.Duration) bool {
	return !at.Before(d.From) && at.Before(d.End().Add(grace))
}

// A HoldBack names why a deployment explains a finding, or why it does not.
type HoldBack string

// The holds. Those that begin with "not" are notified at once.
const (
	HoldTouchedNode   HoldBack = "touched_node"      // about a node that the deployment touches
	HoldTouchedOwner  HoldBack = "touched_owner"     // a move or a loss of sessions of such nodes
	HoldShortOutage   HoldBack = "short_outage"      // clients get no answer, for no longer than MaxUnserved
	HoldMixedVersions HoldBack = "mixed_versions"    // nodes differ because some have the new version
	HoldUnsettled     HoldBack = "unsettled"         // a loss so new that its node's restart may not have been seen
	NotLongOutage     HoldBack = "not_long_outage"   // clients get no answer for longer than MaxUnserved
	NotLeaked         HoldBack = "not_leaked"        // no deployment gives one client's session to another
	NotTouched        HoldBack = "not_touched"       // about a node, or about sessions of one, that the deployment does not touch
	NotByDeployment   HoldBack = "not_by_deployment" // a deployment brings nothing of this kind about
)

// IsHeld reports whether the hold keeps a finding from being notified.
func (h HoldBack) IsHeld() bool {
	return slices.Contains([]HoldBack{HoldTouchedNode, HoldTouchedOwner, HoldShortOutage, HoldMixedVersions, HoldUnsettled}, h)
}

// explainable says by which rule a deployment explains findings of a code. Codes
// that are missing are never explained.
var explainable = map[checks.Code]func(Deployment, time.Time, checks.ActiveFinding) HoldBack{
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
	checks.BalancerRemapped:      func(Deployment, time.Time, checks.ActiveFinding) HoldBack { return HoldTouchedOwner },
	checks.VersionSkew:           func(Deployment, time.Time, checks.ActiveFinding) HoldBack { return HoldMixedVersions },
	checks.SettingsSkew:          func(Deployment, time.Time, checks.ActiveFinding) HoldBack { return HoldMixedVersions },
	checks.SessionLeaked:         func(Deployment, time.Time, checks.ActiveFinding) HoldBack { return NotLeaked },
}

// Explains decides whether the deployment, while it goes on, explains a finding.
func (d Deployment) Explains(at time.Time, s checks.ActiveFinding) HoldBack {
	rule := explainable[s.Code]
	if rule == nil {
		return NotByDeployment
	}
	return rule(d, at, s)
}

// explainsDown: a node that is down is touched by that, unless the announcement
// names others. All of them may be down for a short time.
func (d Deployment) explainsDown(at time.Time, s checks.ActiveFinding) HoldBack {
	if s.Group == checks.AllNodesDown && at.Sub(s.Since) > MaxUnserved {
		return NotLongOutage
	}
	return d.explainsNode(at, s)
}

func (d Deployment) explainsNode(_ time.Time, s checks.ActiveFinding) HoldBack {
	if s.Node != "" && d.touches(s.Node) || s.Node == "" && d.touchesAll(s.Nodes) {
		return HoldTouchedNode
	}
	return NotTouched
}

// explainsPage: a page fails at a node that starts, or where clients ask for it.
func (d Deployment) explainsPage(at time.Time, s checks.ActiveFinding) HoldBack {
	if s.Node != "" && s.Code != checks.HandshakeBroken && s.Code != checks.UpgradeRefused {
		return d.explainsNode(at, s)
	}
	return d.explainsOutage(at, s)
}

func (d Deployment) explainsOutage(at time.Time, s checks.ActiveFinding) HoldBack {
	if at.Sub(s.Since) > MaxUnserved {
		return NotLongOutage
	}
	return HoldShortOutage
}

// explainsSessions: sessions go with the nodes that own them.
func (d Deployment) explainsSessions(at time.Time, s checks.ActiveFinding) HoldBack {
	switch {
	case d.touchesAll(s.Nodes):
		return HoldTouchedOwner
	case at.Sub(s.Since) < lossSettleTime:
		return HoldUnsettled
	default:
		return NotTouched
	}
}

// explainsFailing: clients with a session get errors. Those of a node that starts
// do, for a short time.
func (d Deployment) explainsFailing(at time.Time, s checks.ActiveFinding) HoldBack {
	if at.Sub(s.Since) > MaxUnserved {
		return NotLongOutage
	}
	return d.explainsSessions(at, s)
}

// touchesAll reports whether the deployment changes all of some nodes.
func (d Deployment) touchesAll(nodes []string) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(node string) bool { return !d.touches(node) })
}

// touches reports whether the deployment changes a node: it was announced, or,
// where no nodes were, seen.
func (d Deployment) touches(node string) bool {
	if len(d.Nodes) > 0 {
		return slices.Contains(d.Nodes, node)
	}
	return slices.Contains(d.Touched, node)
}

// TouchedIn are the nodes of a judged round that look as if somebody has worked on
// them since a moment: down, paused, restarted, ejected or drained. A single round
// is enough, since the same round shows what it means for sessions.
func TouchedIn(c *probes.Cluster, r checks.Report, since time.Time) []string {
	var touched []string
	for _, n := range r.Nodes {
		down := !n.Up && n.Primary.Failure != "" && n.Primary.Failure != probes.FailureCancelled
		if down || n.InRotation == checks.No || n.Status.Paused() || r.History.DisruptedSince(n.Node, since) {
			touched = append(touched, n.Node)
		}
	}
	for _, f := range r.Findings {
		if f.Code == checks.NodeDown || f.Code == checks.NodeEjected {
			touched = append(touched, f.Node)
		}
	}
	return slices.DeleteFunc(touched, func(id string) bool {
		return !slices.ContainsFunc(c.Nodes, func(n probes.Node) bool { return n.ID == id && !n.Down })
	})
}
