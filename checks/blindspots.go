package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// blindSpots says what this set-up cannot see, and what would open its eyes.
func blindSpots(v *view) []Finding {
	if v.Cluster.Session == nil || len(v.serving) < 2 || v.told() == 0 {
		return nil
	}
	b := v.Cluster.Balancer
	switch unseen := v.unseen(); {
	case len(unseen) == 0:
		return nil
	case b.KeyHeader() != "" && v.ignoresKey():
		return []Finding{v.headerIgnored(unseen)}
	case b.KeyHeader() == "" && b.Method == probes.MethodIPHash:
		return []Finding{v.oneAddress(unseen)}
	case b.Method == probes.MethodHash && b.HashKey == "":
		f := v.unseenNodes(unseen, "what the balancer hashes is not configured")
		f.Remedy = "Set balancer.hash_key as in nginx's hash directive, such as $remote_addr with client_ip_header, or $http_x_user."
		return []Finding{f}
	case b.Method == probes.MethodUnknown && v.metOne():
		f := v.unseenNodes(unseen, "every new client met one node, as under ip_hash")
		f.Remedy = "Set balancer.method. " + realip(v.ownAddress(), "X-Stickwatch-Client")
		return []Finding{f}
	default:
		return nil
	}
}

// unseen returns the healthy nodes whose rotation is unknown.
func (v *view) unseen() []string {
	var ids []string
	for _, n := range v.serving {
		if v.places[n.ID].In == Unknown {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (v *view) metOne() bool {
	_, met := v.fresh()
	return len(met) == 1
}

func (v *view) unseenNodes(nodes []string, why string) Finding {
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: nodes, Target: "rotation"}
	f.Summary = fmt.Sprintf("whether the balancer sends clients to %s cannot be seen: %s", join(nodes), why)
	for _, id := range nodes {
		f.Evidence = append(f.Evidence, id+": "+v.places[id].Reason)
	}
	return f
}

func (v *view) oneAddress(unseen []string) Finding {
	f := v.unseenNodes(unseen, fmt.Sprintf("ip_hash sends our own address (%s) to one node", v.ownAddress()))
	f.Remedy = realip(v.ownAddress(), "X-Stickwatch-Client")
	return f
}

func (v *view) headerIgnored(unseen []string) Finding {
	header := v.Cluster.Balancer.KeyHeader()
	f := v.unseenNodes(unseen, "the balancer does not take the client address from "+header)
	f.Remedy = realip(v.ownAddress(), header)
	return f
}

// realip gives the two lines of nginx that let a prober choose its node.
func realip(own, header string) string {
	return fmt.Sprintf("In nginx's http or server block: set_real_ip_from %s; real_ip_header %s; and in the configuration: client_ip_header: %s", own, header, header)
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

// doubts are the reasons for which the picture is not whole enough for a
// verdict.
func (v *view) doubts() []string {
	var list []string
	if s := v.Cluster.Session; s != nil && s.Policy != probes.PolicyNone && len(v.serving) > 1 {
		switch {
		case v.noTestPage():
			list = append(list, fmt.Sprintf("no node has the session test page %s: set session.path, or choose another profile", s.Path))
		case s.Policy != probes.PolicyShared && v.session.Sticky == Unknown:
			list = append(list, "whether sessions stick is not known: "+v.session.Reason)
		case s.Policy == probes.PolicyShared && v.followUps() == 0:
			list = append(list, "no session could be opened and followed through the balancer")
		}
	}
	if v.ExpectVersion != "" && !slices.ContainsFunc(v.Nodes, func(o probes.NodeObservation) bool { return o.Version != "" }) {
		list = append(list, "no node tells its version: set version in the configuration")
	}
	if v.isolated() {
		list = append(list, "nothing at all could be reached: look at this prober's own network first")
	}
	return list
}

// isolated reports whether every attempt failed before it left this machine.
func (v *view) isolated() bool {
	local := func(ex probes.Exchange) bool {
		return ex.Failure == probes.FailureDNS || ex.Failure == probes.FailureUnreachable
	}
	for _, o := range v.Nodes {
		if !local(o.Primary) {
			return false
		}
	}
	for _, b := range v.Balancers {
		if !local(b.Primary) {
			return false
		}
	}
	return len(v.Nodes)+len(v.Balancers) > 0
}
