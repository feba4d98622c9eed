package checks

import (
	"maps"
	"net"
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

// Identify learns who is who from what the nodes told directly, one observation
// a node.
func Identify(c *probes.Cluster, direct []probes.NodeObservation) Identity {
	who := Identity{owners: make(map[string][]string), direct: make(map[string]string), total: len(c.Nodes)}
	for _, o := range direct {
		if label := fold(o.Label); label != "" {
			who.direct[o.Node] = o.Label
			who.owners[label] = append(who.owners[label], o.Node)
		}
	}
	// What nobody claimed directly may still be a name that the operator gave,
	// the most deliberate first.
	for _, name := range []func(probes.Node) string{
		func(n probes.Node) string { return n.Label },
		func(n probes.Node) string { return n.ID },
		probes.Node.ServerName,
		func(n probes.Node) string { return n.URL.Host },
		hostPort,
	} {
		given := make(map[string][]string)
		for _, n := range c.Nodes {
			if label := fold(name(n)); label != "" && len(who.owners[label]) == 0 {
				given[label] = append(given[label], n.ID)
			}
		}
		maps.Copy(who.owners, given)
	}
	return who
}

// hostPort is where a node listens, as nginx's $upstream_addr has it: with the
// port, though the URL may leave it out.
func hostPort(n probes.Node) string {
	port := n.URL.Port()
	switch {
	case port != "":
	case n.URL.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(n.URL.Hostname(), port)
}

// NodeOf returns the id of the node that a label names; "" when none does, or
// several. Of a list of tries ("10.0.0.1:80, 10.0.0.2:80" in nginx's
// $upstream_addr) the last one answered.
func (i Identity) NodeOf(label string) string {
	owners := i.owners[fold(label)]
	if len(owners) == 0 {
		upstreams := attempts(label)
		last := upstreams[len(upstreams)-1]
		owners = i.owners[fold(last[len(last)-1])]
	}
	if len(owners) == 1 {
		return owners[0]
	}
	return ""
}

// FailedOver returns the ids of the nodes that a label says were tried and did
// not answer: in each upstream all but the last, which answered, if only with
// a redirect to the next upstream.
func (i Identity) FailedOver(label string) []string {
	if len(i.owners[fold(label)]) > 0 {
		return nil
	}
	var ids []string
	for _, upstream := range attempts(label) {
		for _, try := range upstream[:len(upstream)-1] {
			if id := i.NodeOf(try); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Ambiguous reports whether several nodes answer to label.
func (i Identity) Ambiguous(label string) bool { return len(i.owners[fold(label)]) > 1 }

// Complete reports whether every node told its label, so that a label of none
// of them is a stranger's.
func (i Identity) Complete() bool { return len(i.direct) == i.total }

// attempts splits nginx's $upstream_addr: " : " stands between the upstreams of an
// internal redirect, ", " between the servers tried in one. Neither a label nor
// a part of it is ever missing.
func attempts(label string) [][]string {
	var list [][]string
	for upstream := range strings.SplitSeq(label, " : ") {
		list = append(list, strings.Split(upstream, ", "))
	}
	return list
}

func fold(label string) string { return strings.ToLower(strings.TrimSpace(label)) }
