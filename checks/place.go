package checks

import (
	"fmt"
	"math"
	"net/netip"

	"stickwatch/probes"
)

// A place says whether the balancer gives a node new clients, and why that is
// believed.
type place struct {
	In     Answer
	Reason string
	Voice  voice // whose reason it is, where a node is out
	// Sure: a node is out that should not be, and the reason is proof.
	Sure bool
	// Elsewhere: it is in rotation, but surely out at these frontends.
	Elsewhere []elsewhere
}

// An elsewhere is a frontend that sends a node nothing, while others do.
type elsewhere struct {
	frontend string
	place
}

// A voice is a way to know that a node is out. There are three, and where two
// contradict each other nobody is believed.
type voice string

const (
	byHash     voice = "by the hash"
	byClients  voice = "by new clients"
	byBalancer voice = "by the balancer's own word"
)

// says puts the voice before what it has to say.
func (by voice) says(words string) string {
	if by == "" {
		return words
	}
	return string(by) + ": " + words
}

func unknown(format string, args ...any) place {
	return place{In: Unknown, Reason: fmt.Sprintf(format, args...)}
}

// place decides for one node, and where it is in rotation for each address of
// the balancer.
func (v *view) place(n probes.Node) place {
	whole := v.weigh(n, v.placeIn(n, v.traffic))
	if whole.In != Yes || len(v.frontends) < 2 {
		return whole
	}
	for _, e := range v.frontends {
		if p := v.placeIn(n, e.traffic); p.Sure {
			whole.Elsewhere = append(whole.Elsewhere, elsewhere{e.name, p})
			whole.Reason += ", and none at " + e.name
		}
	}
	return whole
}

// placeIn decides for one node by some traffic. That it answered is proof of
// rotation; that it did not is proof only against a computed destination or
// against chance.
func (v *view) placeIn(n probes.Node, t traffic) place {
	signed := t.signed()
	if given := t.given(n.ID); given > 0 {
		return place{In: Yes, Reason: fmt.Sprintf("it gave %d of %d answers through the balancer", given, signed)}
	}
	switch {
	case n.Down:
		return place{In: No, Reason: "it is marked down in the configuration"}
	case n.Backup:
		return unknown("it is a backup, which gets clients only when no other node is left")
	case signed == 0:
		return unknown("no answer through the balancer tells which node gave it")
	case v.who.Ambiguous(v.direct[n.ID].Label):
		return unknown("another node calls itself the same")
	case v.who.direct[n.ID] == "" && t.newClients()[""] > 0:
		return unknown("it has not told its name, and clients met names that no node has told")
	case !v.up[n.ID]:
		return unknown("it does not answer, and a retry on another node would hide that it was tried")
	case t.aimedAt(n.ID):
		return v.placeByHash(n, t)
	case v.metUsBefore(n):
		return v.placeByOurs(n, t)
	case t.holds(n.ID):
		return unknown("it answers the clients that it holds; httpd gives new ones to whoever has had fewer requests, and a node that is being drained gets none")
	default:
		return v.placeByChance(n, t)
	}
}

// placeByChance: no new client met n. Two independent samples of the size that
// one test needs must miss it; a single one would be wrong once in a thousand.
// Clients that strangers took count for nothing: nobody knows how many
// strangers share with n.
func (v *view) placeByChance(n probes.Node, t traffic) place {
	clients, scatters := v.independent(t)
	share := Share(n, Serving(v.Cluster, nil))
	need := ClientsToMiss(v.Cluster, n, v.Confidence)
	switch method := v.Cluster.Balancer.Method; {
	case method == probes.MethodIPHash || method == probes.MethodHash:
		return unknown("the balancer sends one client to one node, and ours goes to another")
	case method == probes.MethodUnknown && !scatters:
		return unknown("every new client met the same node, as under ip_hash; the method is not configured")
	case method == probes.MethodLeastConn:
		return unknown("least_conn may rightly send it nobody while it holds many connections")
	case clients < need:
		return unknown("%s missed it, %d are needed to exclude chance", plural(clients, "new client", "new clients"), need)
	}
	return place{In: No, Sure: true, Voice: byClients, Reason: fmt.Sprintf(
		"none of %d new clients met it; by chance that happens once in %.1g rounds", clients, 1/math.Pow(1-share, float64(clients)))}
}

// skewed reports whether so many of the clients at one address met the same node
// that each cannot have been drawn by chance: a table holds our address there, and
// some came before it was written.
func (v *view) skewed(met map[sighting]int, at netip.AddrPort) bool {
	most, all := 0, 0
	for s, count := range met {
		if s.at == at {
			most, all = max(most, count), all+count
		}
	}
	share := max(largestShare(v.serving), 0.5)
	return all > 0 && float64(all)*math.Log(share)+float64(all-most)*math.Log(float64(all)) < math.Log(1-DefaultConfidence)
}

// independent counts the new clients that met listed nodes, each by a chance of
// its own. Where the method is not known, a frontend whose clients all met one
// node may hash our address: its clients are one and the same draw, and count
// for nothing. It scatters when some frontend gave clients to several nodes.
func (v *view) independent(t traffic) (clients int, scatters bool) {
	byFrontend := make(map[sighting]int)
	nodes := make(map[netip.AddrPort]int)
	for _, w := range t.walks {
		if first := w.First(); w.Carried || !first.OK() || w.opener == "" {
			continue
		}
		s := sighting{w.opener, w.Balancer}
		if byFrontend[s]++; byFrontend[s] == 1 {
			nodes[w.Balancer]++
		}
	}
	for s, count := range byFrontend {
		several := nodes[s.at] > 1 && !v.skewed(byFrontend, s.at)
		scatters = scatters || several
		if several || v.Cluster.Balancer.Method != probes.MethodUnknown {
			clients += count
		}
	}
	return clients, scatters
}
