package web

import (
	"fmt"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A row of the matrix is a node: what it says when asked directly, what its
// status says, whether the balancer gives it clients, whether its canary stays.
type row struct {
	Node      string
	URL       string
	Direct    verdictCell
	State     verdictCell
	Rotation  verdictCell
	Canary    verdictCell
	Uptime    string // over uptimeDays
	Sessions  string // uptime of those that the node owns, over uptimeDays
	Latency   string
	Version   string
	UptimeBar uptimeBar
	Reasons   []reason // why cells are not good
}

// A reason is why a cell says what it says.
type reason struct {
	About  string // the column and what the cell says
	Reason string
}

// A verdictCell is a mark with its word, and why in a sentence.
type verdictCell struct {
	Tone   tone
	Label  string
	Reason string // "": the word says it all
}

func (v viewContext) rows(p Snapshot, r *clusterHistory) []row {
	var rows []row
	for _, node := range p.Cluster.Nodes {
		one := row{Node: word(node.ID)}
		if node.URL != nil {
			one.URL = line(node.URL.Redacted())
		}
		one.Uptime = v.uptimeShare(r.uptime(checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: node.ID}))
		one.Sessions = v.uptimeShare(r.uptime(checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetSession, Name: node.ID}))
		one.UptimeBar = v.hours(r.points[checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: node.ID}], r.span)
		if i := slices.IndexFunc(p.Report.Nodes, func(n checks.NodeReport) bool { return n.Node == node.ID }); i >= 0 {
			seen := p.Report.Nodes[i]
			one.Direct, one.State = v.direct(seen), v.state(seen)
			one.Rotation, one.Canary = v.rotation(node, seen), v.canary(seen, p.Report.Session)
			one.Reasons = v.reasons(one)
			one.Latency, one.Version = v.latency(seen.Primary.Timing.Total), cell(seen.Version)
		} else {
			unseen := verdictCell{Tone: toneUnknown, Label: v.translate("unknown")}
			one.Direct, one.State, one.Rotation, one.Canary = unseen, unseen, unseen, unseen
			one.Latency = "–"
		}
		rows = append(rows, one)
	}
	return rows
}

// reasons tell of cells why they are as they are, where the word does not.
func (v viewContext) reasons(r row) (reasons []reason) {
	for _, one := range []struct {
		column string
		verdictCell
	}{
		{v.translate("Direct"), r.Direct},
		{v.translate("State"), r.State},
		{v.translate("Rotation"), r.Rotation},
		{v.translate("Canary"), r.Canary},
	} {
		if one.Reason != "" {
			reasons = append(reasons, reason{About: one.column + v.translate(": ") + one.Label, Reason: one.Reason})
		}
	}
	return reasons
}

func (v viewContext) direct(n checks.NodeReport) verdictCell {
	switch {
	case n.Up:
		return verdictCell{Tone: toneOK, Label: v.translate("up")}
	case n.Primary.Answered():
		return verdictCell{toneCritical, fmt.Sprint(n.Primary.Status), line(n.Primary.Error)}
	default:
		return verdictCell{toneCritical, v.translate("down"), line(n.Primary.Error)}
	}
}

func (v viewContext) state(n checks.NodeReport) verdictCell {
	switch {
	case n.Status == nil && n.StatusError != "":
		return verdictCell{toneUnknown, v.translate("unreadable"), line(n.StatusError)}
	case n.Status == nil:
		return verdictCell{Tone: toneNone, Label: "–"}
	case n.Status.Paused():
		return verdictCell{toneCritical, v.stateLabel(n.Status.State, "paused"), line(n.Status.Reason)}
	default:
		return verdictCell{Tone: toneOK, Label: v.stateLabel(n.Status.State, "ok")}
	}
}

// stateLabel is what a node calls its state, or what that comes to where it says
// nothing.
func (v viewContext) stateLabel(state, otherwise string) string {
	if state = cell(state); state != "" {
		return v.translate(state)
	}
	return v.translate(otherwise)
}

func (v viewContext) rotation(node probes.Node, n checks.NodeReport) verdictCell {
	why := v.sentence(n.Rotation)
	switch {
	case n.InRotation == checks.Yes && !n.Up:
		return verdictCell{toneCritical, v.translate("in, failing"), why}
	case n.InRotation == checks.Yes:
		return verdictCell{Tone: toneOK, Label: v.translate("in")}
	case node.Down || (node.Backup && n.InRotation == checks.No):
		return verdictCell{toneUnknown, v.translate("out, as set"), why}
	case n.InRotation == checks.No:
		return verdictCell{toneWarning, v.translate("out"), why}
	default:
		return verdictCell{toneUnknown, v.translate("unknown"), why}
	}
}

// canary is how the sessions fare that the node holds: the worst of them.
func (v viewContext) canary(n checks.NodeReport, session checks.SessionReport) verdictCell {
	worst := verdictCell{Tone: toneNone, Label: "–"}
	for _, c := range session.Canaries {
		if c.Pinned != n.Node || len(c.Steps) < 2 {
			continue
		}
		if fared := v.canaryResult(c, n, session.Policy); rank(fared.Tone) > rank(worst.Tone) {
			worst = fared
		}
	}
	return worst
}

func rank(m tone) int {
	return slices.Index([]tone{toneNone, toneUnknown, toneOK, toneInfo, toneWarning, toneCritical}, m)
}

// canaryResult tells how a canary's newest answer was.
func (v viewContext) canaryResult(c checks.Canary, n checks.NodeReport, policy probes.Policy) verdictCell {
	last := c.Steps[len(c.Steps)-1]
	opened := c.Steps[0].Session
	moved := last.Node != "" && last.Node != c.Pinned
	switch {
	case last.Error != "" || last.Status >= 500:
		return verdictCell{toneCritical, v.translate("no answer"), line(last.Error)}
	case opened != "" && last.Session != "" && last.Session != opened:
		return verdictCell{toneCritical, v.translate("lost"), v.translate("answered by %s with another session", word(last.Node))}
	case moved && policy == probes.PolicyShared:
		return verdictCell{Tone: toneOK, Label: v.translate("shared")}
	case moved && (!n.Up || n.InRotation == checks.No):
		return verdictCell{toneWarning, v.translate("moved"), v.translate("answered by %s", word(last.Node))}
	case moved:
		return verdictCell{toneCritical, v.translate("drifts"), v.translate("answered by %s", word(last.Node))}
	default:
		return verdictCell{Tone: toneOK, Label: v.translate("stays")}
	}
}
