package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// blindSpots says what this set-up cannot see, and what would open its eyes.
func blindSpots(v *view) []Finding {
	if v.Cluster.Session == nil || len(v.serving) < 2 || v.signed() == 0 {
		return nil
	}
	unseen := v.nodesWhere(func(id string) bool {
		serves := slices.ContainsFunc(v.serving, func(n probes.Node) bool { return n.ID == id })
		return serves && v.places[id].In == Unknown
	})
	if len(unseen) == 0 {
		return nil
	}
	why, remedy := v.blindness()
	if why == "" {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = fmt.Sprintf("whether the balancer sends clients to %s cannot be seen: %s", join(unseen), why)
	for _, id := range unseen {
		f.Evidence = append(f.Evidence, id+": "+v.places[id].Reason)
	}
	f.Evidence = firstFew(f.Evidence)
	f.Remedy = remedy
	return []Finding{f}
}

// blindness is why some nodes cannot be seen, and what to do about it; "" where
// the next round may see them.
func (v *view) blindness() (why, remedy string) {
	const header = "X-Stickwatch-Client"
	switch b := v.Cluster.Balancer; {
	case b.KeyHeader() != "" && v.deaf(v.traffic):
		return "every client met one node: either the balancer does not take the client from " + b.KeyHeader() + ", or it sends the others nothing",
			v.realip(b.KeyHeader())
	case b.Method == probes.MethodUnknown && v.metOne():
		return "every new client met one node, as under ip_hash", "Set balancer.method. " + v.realip(header)
	case b.Method == probes.MethodHash && b.HashKey == "":
		return "what the balancer hashes is not configured",
			"Set balancer.hash_key as in nginx's hash directive, such as $remote_addr with client_ip_header, or $http_x_user."
	case b.KeyHeader() == "" && hashesAddress(b):
		return fmt.Sprintf("%s sends our own address (%s) to one node", b.Method, v.ownAddress()), v.realip(header)
	case b.KeyHeader() == "" && b.Method == probes.MethodHash:
		return "the balancer hashes " + b.HashKey + ", which stickwatch does not choose",
			"Look at the balancer's own state of these servers; a request header ($http_...) in balancer.hash_key could be chosen."
	default:
		return "", ""
	}
}

// realip gives the lines of nginx that let a prober choose its node.
func (v *view) realip(header string) string {
	return fmt.Sprintf("In nginx's http or server block: set_real_ip_from %s; real_ip_header %s; and in the configuration: client_ip_header: %s",
		v.ownAddress(), header, header)
}

// ownAddress is this prober as the balancer sees it, as far as we know.
func (v *view) ownAddress() string {
	for _, a := range v.answers {
		if a.Own.IsValid() {
			return a.Own.String()
		}
	}
	return "ADDRESS-OF-THIS-PROBER"
}
