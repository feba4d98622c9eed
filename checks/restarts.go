package checks

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// newsOfRestart is for how long a restart is told: long enough for what it
// brought about to be seen, and explained by it.
const newsOfRestart = 2 * time.Minute

// sessionsLost tells the warning that sums up what restarts have cost from the
// line of each node.
const sessionsLost = "sessions lost"

// restarts finds nodes that began anew a moment ago, and, once nothing is
// restarting any more, what that has cost.
func restarts(v *view) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		m := v.history.Nodes[n.ID]
		if m.Restarted.IsZero() || v.Started.Sub(m.Restarted) > newsOfRestart {
			continue
		}
		f := about(NodeRestarted, Info, n.ID)
		f.When = m.Restarted
		f.Summary = n.ID + " has been restarted"
		f.Evidence = []string{clock(m.Restarted) + ": " + m.Sign}
		f.Remedy = "Nothing, if it was meant; else look why its process ended."
		list = append(list, f)
	}
	if f, ok := v.costOfRestarts(); ok {
		list = append(list, f)
	}
	return list
}

// shareOfNodes is which part of the clients some nodes have, by their weights.
func (v *view) shareOfNodes(nodes []string) Affected {
	among := Serving(v.Cluster, nil)
	a := Affected{Of: len(v.walks)}
	for _, n := range among {
		if slices.Contains(nodes, n.ID) {
			a.Share += Share(n, among)
		}
	}
	return a
}

// lostHere says how many sessions went with a node that is down; "": none did.
func (v *view) lostHere(node string) string {
	list := v.history.Nodes[node].Disruptions
	if len(list) == 0 || list[len(list)-1].Lost == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of ours went with it", plural(list[len(list)-1].Lost, "session", "sessions"))
}

// costOfRestarts sums up the sessions that went with their nodes, when the last
// of these has been back for the aftermath of its restart.
func (v *view) costOfRestarts() (Finding, bool) {
	lost, unwatched, failed := 0, false, false
	var newest time.Time
	var evidence []string
	nodes := make(map[string]bool)
	for _, n := range v.Cluster.Nodes {
		for _, d := range v.history.Nodes[n.ID].Disruptions {
			if d.Kind == DisruptionEjected {
				continue
			}
			if d.To.After(newest) {
				newest = d.To
			}
			recent := !d.Told && v.Started.Sub(d.To) <= newsOfRestart+v.aftermath
			if recent && d.Kind == DisruptionRestart && d.Unwatched && d.Lost == 0 {
				nodes[n.ID], unwatched = true, true
				evidence = append(evidence, fmt.Sprintf("%s at %s: none of our sessions was there (%s)", n.ID, second(d.To), d.Why))
			}
			if recent && d.Lost > 0 {
				nodes[n.ID] = true
				lost += d.Lost
				failed = failed || d.Kind == DisruptionDown
				evidence = append(evidence, fmt.Sprintf("%s at %s: %s lost (%s)", n.ID, second(d.To), plural(d.Lost, "session", "sessions"), d.Why))
			}
		}
	}
	settled := v.Started.Sub(newest) > v.aftermath
	if lost == 0 && !unwatched || !settled || v.policy() != probes.PolicySticky {
		return Finding{}, false
	}
	f := aboutAll(NodeRestarted, Warning, v.nodesWhere(func(id string) bool { return nodes[id] }))
	f.Node, f.Target, f.When = "", sessionsLost, newest
	f.Summary = fmt.Sprintf("%s of ours went with %s", plural(lost, "session", "sessions"), say(f.Nodes, "when it was restarted", "when they were restarted"))
	f.Evidence = firstFew(evidence)
	if failed {
		f.Code = NodeDown
		f.Summary = fmt.Sprintf("%s of ours went with %s", plural(lost, "session", "sessions"), say(f.Nodes, "while it failed", "while they failed"))
	}
	if lost == 0 {
		f.Summary = say(f.Nodes, "was", "were") + " restarted; none of our sessions was there to tell how many were lost"
	}
	f.Affected = v.shareOfNodes(f.Nodes)
	f.Remedy = "Under sticky sessions the users of a node lose theirs when it restarts or fails. Drain a node before it is restarted, announce deployments, or let the nodes share their sessions."
	return f, true
}
