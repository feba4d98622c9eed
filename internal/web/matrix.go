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
	Node     string
	URL      string
	Direct   verdictCell
	State    verdictCell
	Rotation verdictCell
	Canary   verdictCell
	Uptime   string // over shownDays
	Sessions string // uptime of those that the node owns, over shownDays
	Latency  string
	Version  string
	Strip    strip
	Reasons  []reason // why cells are not good
}

// A reason is why a cell says what it says.
type reason struct {
	About string // the column and what the cell says
	Why   string
}

// A verdictCell is a mark with its word, and why in a sentence.
type verdictCell struct {
	Mark mark
	Word string
	Why  string // "": the word says it all
}

func (v viewer) rows(p Picture, r *record) []row {
	var rows []row
	for _, node := range p.Cluster.Nodes {
		one := row{Node: word(node.ID)}
		if node.URL != nil {
			one.URL = line(node.URL.Redacted())
		}
		one.Uptime = v.available(r.uptime(checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: node.ID}))
		one.Sessions = v.available(r.uptime(checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetSession, Name: node.ID}))
		one.Strip = v.hours(r.points[checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: node.ID}], r.span)
		if i := slices.IndexFunc(p.Report.Nodes, func(n checks.NodeReport) bool { return n.Node == node.ID }); i >= 0 {
			seen := p.Report.Nodes[i]
			one.Direct, one.State = v.direct(seen), v.state(seen)
			one.Rotation, one.Canary = v.rotation(node, seen), v.canary(seen, p.Report.Session)
			one.Reasons = v.reasons(one)
			one.Latency, one.Version = v.latency(seen.Primary.Timing.Total), cell(seen.Version)
		} else {
			unseen := verdictCell{Mark: unsure, Word: v.say("unknown")}
			one.Direct, one.State, one.Rotation, one.Canary = unseen, unseen, unseen, unseen
			one.Latency = "–"
		}
		rows = append(rows, one)
	}
	return rows
}

// reasons tell of cells why they are as they are, where the word does not.
func (v viewer) reasons(r row) (reasons []reason) {
	for _, one := range []struct {
		column string
		verdictCell
	}{
		{v.say("Direct"), r.Direct},
		{v.say("State"), r.State},
		{v.say("Rotation"), r.Rotation},
		{v.say("Canary"), r.Canary},
	} {
		if one.Why != "" {
			reasons = append(reasons, reason{About: one.column + v.say(": ") + one.Word, Why: one.Why})
		}
	}
	return reasons
}

func (v viewer) direct(n checks.NodeReport) verdictCell {
	switch {
	case n.Up:
		return verdictCell{Mark: good, Word: v.say("up")}
	case n.Primary.Answered():
		return verdictCell{trouble, fmt.Sprint(n.Primary.Status), line(n.Primary.Error)}
	default:
		return verdictCell{trouble, v.say("down"), line(n.Primary.Error)}
	}
}

func (v viewer) state(n checks.NodeReport) verdictCell {
	switch {
	case n.Status == nil && n.StatusError != "":
		return verdictCell{unsure, v.say("unreadable"), line(n.StatusError)}
	case n.Status == nil:
		return verdictCell{Mark: nothing, Word: "–"}
	case n.Status.Paused():
		return verdictCell{trouble, v.said(n.Status.State, "paused"), line(n.Status.Reason)}
	default:
		return verdictCell{Mark: good, Word: v.said(n.Status.State, "ok")}
	}
}

// said is what a node calls its state, or what that comes to where it says
// nothing.
func (v viewer) said(state, otherwise string) string {
	if state = cell(state); state != "" {
		return v.say(state)
	}
	return v.say(otherwise)
}

func (v viewer) rotation(node probes.Node, n checks.NodeReport) verdictCell {
	why := v.sentence(n.Rotation)
	switch {
	case n.InRotation == checks.Yes && !n.Up:
		return verdictCell{trouble, v.say("in, failing"), why}
	case n.InRotation == checks.Yes:
		return verdictCell{Mark: good, Word: v.say("in")}
	case node.Down || (node.Backup && n.InRotation == checks.No):
		return verdictCell{unsure, v.say("out, as set"), why}
	case n.InRotation == checks.No:
		return verdictCell{worse, v.say("out"), why}
	default:
		return verdictCell{unsure, v.say("unknown"), why}
	}
}

// canary is how the sessions fare that the node holds: the worst of them.
func (v viewer) canary(n checks.NodeReport, session checks.SessionReport) verdictCell {
	worst := verdictCell{Mark: nothing, Word: "–"}
	for _, c := range session.Canaries {
		if c.Pinned != n.Node || len(c.Steps) < 2 {
			continue
		}
		if fared := v.fared(c, n, session.Policy); rank(fared.Mark) > rank(worst.Mark) {
			worst = fared
		}
	}
	return worst
}

func rank(m mark) int { return slices.Index([]mark{nothing, unsure, good, notice, worse, trouble}, m) }

// fared tells how a canary's newest answer was.
func (v viewer) fared(c checks.Canary, n checks.NodeReport, policy probes.Policy) verdictCell {
	last := c.Steps[len(c.Steps)-1]
	opened := c.Steps[0].Session
	moved := last.Node != "" && last.Node != c.Pinned
	switch {
	case last.Error != "" || last.Status >= 500:
		return verdictCell{trouble, v.say("no answer"), line(last.Error)}
	case opened != "" && last.Session != "" && last.Session != opened:
		return verdictCell{trouble, v.say("lost"), v.say("answered by %s with another session", word(last.Node))}
	case moved && policy == probes.PolicyShared:
		return verdictCell{Mark: good, Word: v.say("shared")}
	case moved && (!n.Up || n.InRotation == checks.No):
		return verdictCell{worse, v.say("moved"), v.say("answered by %s", word(last.Node))}
	case moved:
		return verdictCell{trouble, v.say("drifts"), v.say("answered by %s", word(last.Node))}
	default:
		return verdictCell{Mark: good, Word: v.say("stays")}
	}
}
