package checks

import (
	"strings"

	"stickwatch/probes"
)

// An Identity tells which node stands behind a label. Applications call
// themselves as they please (tomcat1, a process id, 10.0.0.1:8080), so labels
// are learnt by asking every node directly.
type Identity struct {
	owners map[string][]string // lower-case label: ids of the nodes that answer to it
	direct map[string]string   // node id: the label it told
	total  int
}

// Identify learns who is who from what the nodes told directly.
func Identify(c *probes.Cluster, direct []probes.NodeObservation) Identity {
	who := Identity{owners: make(map[string][]string), direct: make(map[string]string), total: len(c.Nodes)}
	for _, o := range direct {
		if o.Label != "" {
			who.direct[o.Node] = o.Label
			who.learn(o.Label, o.Node)
		}
	}
	// What nobody claimed directly may still be a name that the operator gave.
	claimed := func(label string) bool { return len(who.owners[fold(label)]) > 0 }
	for _, names := range []func(probes.Node) string{
		func(n probes.Node) string { return n.Label },
		func(n probes.Node) string { return n.ID },
		probes.Node.ServerName,
		func(n probes.Node) string { return n.URL.Host },
	} {
		given := make(map[string]string)
		for _, n := range c.Nodes {
			if label := names(n); label != "" && !claimed(label) {
				given[label] = n.ID
			}
		}
		for label, id := range given {
			who.learn(label, id)
		}
	}
	return who
}

func (i Identity) learn(label, id string) {
	i.owners[fold(label)] = append(i.owners[fold(label)], id)
}

// Who returns the id of the node that a label names; "" when none does, or
// several. Of a list of tries ("10.0.0.1:80, 10.0.0.2:80" in nginx's
// $upstream_addr) the last one answered.
func (i Identity) Who(label string) string {
	if owners := i.owners[fold(label)]; len(owners) == 1 {
		return owners[0]
	}
	if tries := tries(label); len(tries) > 1 {
		return i.Who(tries[len(tries)-1])
	}
	return ""
}

// FailedOver returns the ids of the nodes that a label says were tried and did
// not answer.
func (i Identity) FailedOver(label string) []string {
	tries := tries(label)
	var ids []string
	for _, try := range tries[:max(0, len(tries)-1)] {
		if id := i.Who(try); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// Ambiguous reports whether several nodes answer to label.
func (i Identity) Ambiguous(label string) bool { return len(i.owners[fold(label)]) > 1 }

// Complete reports whether every node told its label, so that a label of none
// of them is a stranger's.
func (i Identity) Complete() bool { return len(i.direct) == i.total }

func tries(label string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(label, " : ", ","), func(r rune) bool { return r == ',' || r == ' ' })
}

func fold(label string) string { return strings.ToLower(strings.TrimSpace(label)) }
