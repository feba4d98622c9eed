package checks

import (
	"fmt"
	"maps"
	"slices"

	"stickwatch/probes"
)

// blindSpots says what this set-up cannot see, and what would open its eyes.
func blindSpots(v *view) []Finding {
	if v.Cluster.Session == nil || v.policy() == probes.PolicyNone || len(v.serving) < 2 {
		return nil
	}
	if v.signed() == 0 {
		return v.noLabels()
	}
	unseen := v.nodesWhere(func(id string) bool {
		serves := slices.ContainsFunc(v.serving, func(n probes.Node) bool { return n.ID == id })
		return serves && v.places[id].In == Unknown
	})
	if contradiction := v.contradiction(); contradiction != "" {
		return []Finding{v.otherArithmetic(contradiction, unseen)}
	}
	if len(unseen) == 0 {
		return nil
	}
	why, remedy := v.blindness(unseen)
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
func (v *view) blindness(unseen []string) (why, remedy string) {
	const header = "X-Stickwatch-Client"
	switch b := v.Cluster.Balancer; {
	case b.KeyHeader() != "" && v.deaf(v.traffic):
		return "every client met one node: either the balancer does not take the client from " + b.KeyHeader() + ", or it sends the others nothing",
			v.realip(b.KeyHeader())
	case b.Method == probes.MethodUnknown && v.metOne():
		return "every new client met one node, as under ip_hash", "Set balancer.method (--method). " + v.realip(header)
	case b.Method == probes.MethodHash && b.HashKey == "":
		return "what the balancer hashes is not configured",
			"Set balancer.hash_key as in nginx's hash directive, such as $remote_addr with client_ip_header, or $http_x_user."
	case b.KeyHeader() == "" && hashesAddress(b):
		return fmt.Sprintf("%s sends our own address (%s) to one node", b.Method, v.ownAddress()), v.realip(header)
	case b.KeyHeader() == "" && b.Method == probes.MethodHash:
		return "the balancer hashes " + b.HashKey + ", which stickwatch does not choose",
			"Look at the balancer's own state of these servers; a request header ($http_...) in balancer.hash_key could be chosen."
	case v.tooMany(unseen):
		return fmt.Sprintf("more new clients are needed than the %d that one round opens", MaxFreshClients),
			"Ask for less with --confidence, or let the balancer tell by itself: balancer.evidence."
	default:
		return "", ""
	}
}

// tooMany reports whether chance cannot be excluded for some node in a round.
func (v *view) tooMany(unseen []string) bool {
	return slices.ContainsFunc(unseen, func(id string) bool {
		return ClientsToMiss(v.Cluster, v.Cluster.Nodes[v.index(id)], v.Confidence) > MaxFreshClients
	})
}

// contradiction is an answer that the balancer's arithmetic excludes, whatever
// nodes are out: its configuration is not the one that we were told. While
// sessions move, it may be the nodes that changed.
func (v *view) contradiction() string {
	if v.oracle == nil || v.deaf(v.traffic) || len(v.drifts)+len(v.failovers)+len(v.separations) > 0 {
		return ""
	}
	for _, e := range v.frontends {
		missed := v.missed(e.traffic)
		for _, a := range e.answers {
			if a.walk.Expected == "" || a.node == "" || !a.OK() {
				continue
			}
			index, ok := v.oracle.Pick(v.key(a.walk), missed...)
			next, _ := v.oracle.Pick(v.key(a.walk), append(slices.Clone(missed), v.index(a.walk.Expected))...) // ejected in mid-round
			if ok && v.Cluster.Nodes[index].ID != a.node && (next < 0 || v.Cluster.Nodes[next].ID != a.node) {
				return fmt.Sprintf("client %s was answered by %s, computed %s", v.key(a.walk), a.node, v.Cluster.Nodes[index].ID)
			}
		}
	}
	return ""
}

func (v *view) otherArithmetic(contradiction string, unseen []string) Finding {
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = fmt.Sprintf("the answers do not follow %s over the nodes as configured, so that ejections cannot be computed", v.Cluster.Balancer.Method)
	f.Evidence = []string{contradiction}
	f.Remedy = "List the nodes in the order, and with the weight, down and backup, of the upstream's server lines; all of them, and none that is not there."
	return f
}

// noLabels: clients are served, and nobody can tell by whom.
func (v *view) noLabels() []Finding {
	if !slices.ContainsFunc(v.answers, func(a *answer) bool { return a.OK() && a.Status < 400 }) {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Target: "labels"}
	f.Summary = "the answers through the balancer do not tell which node gave them"
	f.Evidence = []string{fmt.Sprintf("none of %s has what session.node looks for", plural(len(v.answers), "answer", "answers"))}
	f.Remedy = "Have the nodes tell (jvmRoute in Tomcat's server.xml, a label on the test page), or the balancer, as in nginx: " +
		"add_header X-Upstream $upstream_addr always; with session.node: {header: X-Upstream}."
	return []Finding{f}
}

// realip gives the lines of nginx that let a prober choose its node.
func (v *view) realip(header string) string {
	lines := fmt.Sprintf("In nginx: set_real_ip_from %s; real_ip_header %s; then reload. Where real_ip_header is set already, give the prober a server block of its own.",
		v.ownAddress(), header)
	if v.Cluster.Balancer.KeyHeader() == "" {
		lines += " Then set client_ip_header: " + header + " (--client-ip-header)."
	}
	return lines
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

// seldom finds that the cluster is looked at more seldom than a balancer of
// nginx's kind holds a node out: an ejection may begin and end between two looks.
func seldom(v *view) []Finding {
	b := v.Cluster.Balancer
	if v.Every <= b.FailTimeout || b.FailTimeout <= 0 || b.MaxFails <= 0 ||
		b.Method == probes.MethodCookie || v.Cluster.Session == nil || b.Evidence.NginxErrorLog != "" || b.Evidence.HAProxyStats != nil {
		return nil
	}
	return []Finding{{
		Code: BlindSpot, Severity: Info, Target: "interval",
		Summary:  fmt.Sprintf("an ejection of %s may begin and end between two looks, which are %s apart", b.FailTimeout, v.Every),
		Evidence: []string{fmt.Sprintf("fail_timeout is %s, intervals.canary %s", b.FailTimeout, v.Every)},
		Remedy:   fmt.Sprintf("Set intervals.canary to less than %s, or let the balancer tell by itself: balancer.evidence (nginx_error_log, haproxy_stats).", b.FailTimeout),
	}}
}

// inTurns finds balancers with more addresses than are probed at a time.
func inTurns(v *view) []Finding {
	probed, waiting := make(map[string]int), make(map[string]int) // by URL
	for _, b := range v.Balancers {
		probed[b.URL]++
		waiting[b.URL] = b.Waiting
	}
	var list []Finding
	for _, u := range slices.Sorted(maps.Keys(waiting)) {
		if waiting[u] == 0 {
			continue
		}
		all := probed[u] + waiting[u]
		list = append(list, Finding{
			Code: BlindSpot, Severity: Info, Target: "addresses of " + u,
			Summary:  fmt.Sprintf("%d of the balancer's %d addresses are probed at a time, the others in their turn", probed[u], all),
			Evidence: []string{fmt.Sprintf("%s has %d addresses", u, all)},
			Remedy:   "Give the addresses to several clusters, each with some of them as balancer.url, to have all of them probed all the time.",
		})
	}
	return list
}

// unreadStatus finds nodes whose status is answered and cannot be read: whether
// they are paused cannot be seen.
func unreadStatus(v *view) []Finding {
	nodes := v.nodesWhere(func(id string) bool { return v.up[id] && v.direct[id].StatusError != "" })
	if len(nodes) == 0 {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: nodes, Target: "status"}
	f.Summary = "whether " + say(nodes, "is", "are") + " paused cannot be seen: " + v.direct[nodes[0]].StatusError
	for _, id := range nodes {
		f.Evidence = append(f.Evidence, id+": "+describe(v.direct[id].Primary))
	}
	f.Evidence = firstFew(f.Evidence)
	f.Remedy = "Correct status.path, or switch the status off with path: \"\"."
	return []Finding{f}
}
