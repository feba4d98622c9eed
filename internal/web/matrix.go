package web

import (
	"fmt"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A row is a node in the matrix: its direct probe, its status, whether the balancer routes
// clients to it, and whether its canary keeps its session.
type row struct {
	Node      string
	URL       string
	Direct    verdictCell
	State     verdictCell
	Rotation  verdictCell
	Canary    verdictCell
	Uptime    string // over uptimeDays
	Sessions  string // uptime of the node's sessions, over uptimeDays
	Latency   string
	Version   string
	UptimeBar uptimeBar // of the node and its sessions
	Reasons   []reason  // explanations of cells that are not good
}

// A reason is the explanation of a cell.
type reason struct {
	About  string // column and text of the cell
	Reason string
}

// A verdictCell is a tone with its label, and the reason in a sentence.
type verdictCell struct {
	Tone   tone
	Label  string
	Reason string // "": the label is enough
}

func (v viewContext) rows(s Snapshot, h *clusterHistory) []row {
	var rows []row
	for _, node := range s.Cluster.Nodes {
		nodeRow := row{Node: word(node.ID), Latency: "–"}
		if node.URL != nil {
			nodeRow.URL = line(node.URL.Redacted())
		}
		direct := checks.Target{Cluster: s.Cluster.Name, Kind: checks.TargetNode, Name: node.ID}
		sessions := checks.Target{Cluster: s.Cluster.Name, Kind: checks.TargetSession, Name: node.ID}
		nodeRow.Uptime, nodeRow.Sessions = v.uptimeShare(h.uptime(direct)), v.uptimeShare(h.uptime(sessions))
		nodeRow.UptimeBar = v.hours(h.span, h.points[direct], h.points[sessions])
		if i := slices.IndexFunc(s.Report.Nodes, func(n checks.NodeReport) bool { return n.Node == node.ID }); i >= 0 {
			seen := s.Report.Nodes[i]
			nodeRow.Direct, nodeRow.State = v.direct(seen), v.state(seen)
			nodeRow.Rotation, nodeRow.Canary = v.rotation(node, seen), v.canary(seen, s.Report.Session)
			nodeRow.Reasons = v.reasons(nodeRow)
			nodeRow.Version = cell(seen.Version)
			if seen.Primary.Answered() { // else it is the time until it failed
				nodeRow.Latency = v.latency(seen.Primary.Timing.Total)
			}
		} else {
			unseen := verdictCell{Tone: toneUnknown, Label: v.translate("unknown")}
			nodeRow.Direct, nodeRow.State, nodeRow.Rotation, nodeRow.Canary = unseen, unseen, unseen, unseen
		}
		rows = append(rows, nodeRow)
	}
	return rows
}

// reasons returns the explanations of the cells of a row.
func (v viewContext) reasons(r row) (reasons []reason) {
	for _, cell := range []struct {
		column string
		verdictCell
	}{
		{v.translate("Direct"), r.Direct},
		{v.translate("State"), r.State},
		{v.translate("Rotation"), r.Rotation},
		{v.translate("Canary"), r.Canary},
	} {
		if cell.Reason != "" {
			reasons = append(reasons, reason{About: cell.column + v.translate(": ") + cell.Label, Reason: cell.Reason})
		}
	}
	return reasons
}

func (v viewContext) direct(n checks.NodeReport) verdictCell {
	switch {
	case n.Up:
		return verdictCell{Tone: toneOK, Label: v.translate("up")}
	case n.Primary.Answered():
		return verdictCell{toneCritical, fmt.Sprint(n.Primary.Status), v.reason(n.Primary.Error)}
	default:
		return verdictCell{toneCritical, v.translate("down"), v.reason(n.Primary.Error)}
	}
}

func (v viewContext) state(n checks.NodeReport) verdictCell {
	switch {
	case n.Status == nil && n.StatusError != "":
		return verdictCell{toneUnknown, v.translate("unreadable"), v.reason(n.StatusError)}
	case n.Status == nil:
		return verdictCell{Tone: toneNone, Label: "–"}
	case n.Status.Paused():
		return verdictCell{toneCritical, v.stateLabel(n.Status.State, "paused"), line(n.Status.Reason)}
	default:
		return verdictCell{Tone: toneOK, Label: v.stateLabel(n.Status.State, "ok")}
	}
}

// stateLabel returns the node's own name for its state, or otherwise if it has none.
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

// canary returns the worst result of the sessions that the node holds.
func (v viewContext) canary(n checks.NodeReport, session checks.SessionReport) verdictCell {
	worst := verdictCell{Tone: toneNone, Label: "–"}
	for _, c := range session.Canaries {
		if c.Pinned != n.Node || len(c.Steps) < 2 {
			continue
		}
		if result := v.canaryResult(c, n, session.Policy); rank(result.Tone) > rank(worst.Tone) {
			worst = result
		}
	}
	return worst
}

func rank(t tone) int {
	return slices.Index([]tone{toneNone, toneUnknown, toneOK, toneInfo, toneWarning, toneCritical}, t)
}

// canaryResult returns the result of a canary's newest response.
func (v viewContext) canaryResult(c checks.CanaryTrace, n checks.NodeReport, policy probes.Policy) verdictCell {
	last := c.Steps[len(c.Steps)-1]
	opened := c.Steps[0].Session
	moved := last.Node != "" && last.Node != c.Pinned
	switch {
	case last.Error != "" || last.Status >= 500:
		return verdictCell{toneCritical, v.translate("no answer"), v.reason(last.Error)}
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
