package checks

import (
	"maps"
	"slices"

	"stickwatch/probes"
)

// blindSpots finds what this configuration cannot observe, and how to change that.
func blindSpots(mov *movement) []Finding {
	if mov.round.Cluster.Session == nil || mov.round.policy() == probes.PolicyNone || len(mov.nodes.eligible) < 2 {
		return nil
	}
	if mov.outcomes.labelledAnswers() == 0 {
		return noLabels(mov.outcomes)
	}
	unseen := mov.round.nodesWhere(func(id string) bool {
		serves := slices.ContainsFunc(mov.nodes.eligible, func(n probes.Node) bool { return n.ID == id })
		return serves && mov.rotation.states[id].In == Unknown
	})
	if contradiction := contradiction(mov); !contradiction.IsZero() {
		return []Finding{otherArithmetic(mov.round, contradiction, unseen)}
	}
	if len(unseen) == 0 {
		return nil
	}
	why, remedy := blindSpotCause(mov.rotation, unseen)
	if why.IsZero() {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = msg(MsgRotationUnseen, Args{Nodes: unseen, Why: &why})
	for _, id := range unseen {
		f.Evidence = append(f.Evidence, msg(MsgNodeBecause, Args{Node: id, Why: new(mov.rotation.states[id].Reason)}))
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = remedy
	return []Finding{f}
}

// blindSpotCause returns why some nodes cannot be observed, and what to do about it.
// It returns nothing if the next round may observe them.
func blindSpotCause(rot *rotation, unseen []string) (why, remedy Message) {
	const header = "X-Stickwatch-Client"
	switch b := rot.round.Cluster.Balancer; {
	case b.KeyHeader() != "" && rot.round.keyIgnored(rot.outcomes.traffic):
		return msg(MsgAllMetOneNode, Args{Name: b.KeyHeader()}), chooseClient(rot.outcomes, b.KeyHeader())
	case b.Method == probes.MethodUnknown && rot.outcomes.allMetOneNode():
		return msg(MsgLikeIPHash, Args{}), msg(MsgSetMethod, Args{Why: new(chooseClient(rot.outcomes, header))})
	case b.Method == probes.MethodHash && b.HashKey == "":
		return msg(MsgNoHashKey, Args{}), msg(MsgSetHashKey, Args{})
	case b.KeyHeader() == "" && b.HashesAddress():
		return msg(MsgOwnAddressOnly, Args{Method: b.Method, Address: ownAddress(rot.outcomes)}), chooseClient(rot.outcomes, header)
	case b.KeyHeader() == "" && b.Method == probes.MethodHash:
		return msg(MsgHashedByOther, Args{Name: b.HashKey}), msg(MsgLookAtServers, Args{})
	case tooMany(rot.round, unseen):
		return msg(MsgTooManyClients, Args{Count: MaxNewClients}), msg(MsgAskForLess, Args{})
	default:
		return Message{}, Message{}
	}
}

// tooMany reports whether one round cannot exclude chance for some node.
func tooMany(r *Round, unseen []string) bool {
	return slices.ContainsFunc(unseen, func(id string) bool {
		return ClientsToMiss(r.Cluster, r.Cluster.Nodes[r.index(id)], r.Confidence) > MaxNewClients
	})
}

// contradiction returns an answer that the balancer's arithmetic excludes whichever
// nodes are out, so that the balancer's configuration differs from ours. It returns
// nothing while sessions move, since the nodes may have changed during the round.
func contradiction(mov *movement) Message {
	if mov.nodes.oracle == nil || mov.round.keyIgnored(mov.outcomes.traffic) || len(mov.drifts)+len(mov.failovers)+len(mov.separations) > 0 {
		return Message{}
	}
	for _, front := range mov.outcomes.frontends {
		missed := mov.round.missed(front.traffic)
		if mov.nodes.rehashes() && mov.rotation.fitsWithout(front.traffic, nil) {
			continue
		}
		for _, a := range front.answers {
			if a.trace.TargetNode == "" || a.listedNode == "" || !a.OK() {
				continue
			}
			index, ok := mov.nodes.oracle.Pick(mov.round.key(a.trace), missed...)
			next, _ := mov.nodes.oracle.Pick(mov.round.key(a.trace), append(slices.Clone(missed), mov.round.index(a.trace.TargetNode))...) // ejected during the round
			if ok && mov.round.Cluster.Nodes[index].ID != a.listedNode && (next < 0 || mov.round.Cluster.Nodes[next].ID != a.listedNode) {
				return msg(MsgComputedOther, Args{Client: mov.round.key(a.trace), Node: a.listedNode, Other: mov.round.Cluster.Nodes[index].ID})
			}
		}
	}
	return Message{}
}

func otherArithmetic(r *Round, contradiction Message, unseen []string) Finding {
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = msg(MsgOtherArithmetic, Args{Method: r.Cluster.Balancer.Method})
	f.Evidence = []Message{contradiction}
	f.Remedy = msg(MsgListNodesInOrder, Args{})
	return f
}

// noLabels finds that clients are served, and no answer says by which node.
func noLabels(oc *outcomes) []Finding {
	if !slices.ContainsFunc(oc.answers, func(a *answer) bool { return a.OK() && a.Status < 400 }) {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Target: "labels"}
	f.Summary = msg(MsgNoLabels, Args{})
	f.Evidence = []Message{msg(MsgNoLabelSeen, Args{Count: len(oc.answers)})}
	f.Remedy = msg(MsgHaveNodesTell, Args{})
	return []Finding{f}
}

// chooseClient returns the lines of the balancer's file that let a prober choose its node, and the
// matching setting if it is missing.
func chooseClient(oc *outcomes, header string) Message {
	args := Args{Address: ownAddress(oc), Name: header}
	if oc.round.Cluster.Balancer.KeyHeader() == "" {
		args.Setting = "client_ip_header"
	}
	if oc.round.Cluster.Balancer.Method == probes.MethodSource {
		return msg(MsgChooseClientHAProxy, args)
	}
	return msg(MsgChooseClient, args)
}

// ownAddress returns the address of this prober as the balancer sees it, as far as it
// is known.
func ownAddress(oc *outcomes) string {
	for _, a := range oc.answers {
		if a.LocalAddress.IsValid() {
			return a.LocalAddress.String()
		}
	}
	return "ADDRESS-OF-THIS-PROBER"
}

// rarelyProbed finds that the interval between rounds is longer than a balancer like
// nginx leaves a node out, so that an ejection may begin and end between two rounds.
func rarelyProbed(r *Round) []Finding {
	b := r.Cluster.Balancer
	if r.Every <= b.FailTimeout || b.FailTimeout <= 0 || b.MaxFails <= 0 ||
		b.Method == probes.MethodCookie || r.Cluster.Session == nil || b.Evidence.NginxErrorLog != "" || b.Evidence.HAProxyStats != nil {
		return nil
	}
	return []Finding{{
		Code: BlindSpot, Severity: Info, Target: "interval",
		Summary:  msg(MsgSeldomLooked, Args{Limit: b.FailTimeout, Duration: r.Every}),
		Evidence: []Message{msg(MsgIntervalsCompared, Args{Limit: b.FailTimeout, Duration: r.Every})},
		Remedy:   msg(MsgLookMoreOften, Args{Limit: b.FailTimeout}),
	}}
}

// limitedByBalancer finds a limit of requests that the pace of stickwatch exceeds. A user
// sends fewer.
func limitedByBalancer(oc *outcomes) []Finding {
	if !oc.round.Limited {
		return nil
	}
	return []Finding{{
		Code: BlindSpot, Severity: Info, Target: "limit",
		Summary:  msg(MsgLimited, Args{}),
		Evidence: []Message{msg(MsgServedOneByOne, Args{})},
		Remedy:   msg(MsgExemptProber, Args{Address: ownAddress(oc)}),
	}}
}

// addressesInTurns finds balancers with more addresses than one round probes.
func addressesInTurns(r *Round) []Finding {
	return addressesLeftOut(r, func(b probes.BalancerObservation) int { return b.Waiting }, func(u string, probed, waiting int) Finding {
		args := Args{Address: u, Count: probed, Of: probed + waiting}
		return Finding{Target: "addresses of " + u, Summary: msg(MsgAddressesInTurns, args), Remedy: msg(MsgSplitAddresses, Args{})}
	})
}

// addressesWithoutRoute finds balancers with addresses that only other machines can reach.
func addressesWithoutRoute(r *Round) []Finding {
	return addressesLeftOut(r, func(b probes.BalancerObservation) int { return b.NoRoute }, func(u string, probed, missing int) Finding {
		args := Args{Address: u, Count: missing, Of: missing + probed}
		return Finding{Target: "route to " + u, Summary: msg(MsgAddressesUnrouted, args), Remedy: msg(MsgProbeFromElsewhere, Args{})}
	})
}

// addressesLeftOut returns a blind spot for each URL of which a round does not probe all addresses. leftOut returns how
// many, and about the finding without what is the same for all.
func addressesLeftOut(r *Round, leftOut func(probes.BalancerObservation) int, about func(u string, probed, leftOut int) Finding) (list []Finding) {
	probed, missing := make(map[string]int), make(map[string]int) // by URL
	for _, b := range r.Balancers {
		probed[b.URL]++
		missing[b.URL] = leftOut(b)
	}
	for _, u := range slices.Sorted(maps.Keys(missing)) {
		if missing[u] == 0 {
			continue
		}
		f := about(u, probed[u], missing[u])
		f.Code, f.Severity = BlindSpot, Info
		f.Evidence = []Message{msg(MsgAddressesCounted, f.Summary.Args)}
		list = append(list, f)
	}
	return list
}

// unlikeClients returns all nodes, if none of them gives the session's page when it is
// asked directly, although clients of the balancer get it: they refuse the request, or another site
// of theirs answers.
func unlikeClients(oc *outcomes) []string {
	page := func(a *answer) bool {
		return a.Kind != probes.StepWrite && a.Failure == "" && a.Status >= 200 && a.Status < 300 && !a.ShowsNothing()
	}
	if oc.round.Cluster.Session == nil || oc.round.Cluster.Session.Login != nil || !slices.ContainsFunc(oc.answers, page) {
		return nil
	}
	asked := oc.round.nodesWhere(func(id string) bool {
		o := oc.nodes.direct[id]
		return oc.nodes.up[id] && o.Session != nil && o.Session.Failure == ""
	})
	unlike := slices.DeleteFunc(slices.Clone(asked), func(id string) bool { return !refusesOrLeadsAway(oc.nodes.direct[id].Session) })
	if len(unlike) < len(asked) {
		return nil // a fault of some nodes
	}
	return unlike
}

// refusesOrLeadsAway reports whether an answer refuses the request, leads to another address, such as the
// site's name or https, or is a page that shows nothing of a session.
func refusesOrLeadsAway(ex *probes.Exchange) bool {
	switch {
	case ex.Status >= 400 && ex.Status < 500:
		return ex.Status != 429
	case ex.Status >= 300 && ex.Status < 400:
		return ex.Redirect != ""
	default:
		return ex.Status >= 200 && ex.Status < 300 && !ex.Truncated && ex.ShowsNothing()
	}
}

// refusedDirectly finds nodes of which no direct request shows the page that clients get.
func refusedDirectly(oc *outcomes) []Finding {
	nodes := unlikeClients(oc)
	if len(nodes) == 0 {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: nodes, Target: "direct"}
	f.Summary = msg(MsgOtherPageDirectly, Args{Nodes: nodes})
	for _, id := range nodes {
		f.Evidence = append(f.Evidence, msg(MsgNodeBecause, Args{Node: id, Why: new(describe(*oc.nodes.direct[id].Session))}))
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgSetHost, Args{Server: oc.round.Cluster.Balancer.URLs[0].Hostname()})
	return []Finding{f}
}

// unreadStatus finds nodes whose status page answers and cannot be read, so that a
// pause is not visible.
func unreadStatus(ns *nodeStates) []Finding {
	nodes := ns.round.nodesWhere(func(id string) bool { return ns.up[id] && ns.direct[id].StatusError != "" })
	if len(nodes) == 0 {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: nodes, Target: "status"}
	f.Summary = msg(MsgStatusUnread, Args{Nodes: nodes, Reason: ns.direct[nodes[0]].StatusError})
	for _, id := range nodes {
		f.Evidence = append(f.Evidence, msg(MsgNodeBecause, Args{Node: id, Why: new(describe(ns.direct[id].Primary))}))
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgCorrectStatusPath, Args{})
	return []Finding{f}
}

// unreadEvidence finds sources of balancer evidence that could not be read.
func unreadEvidence(r *Round) []Finding {
	var list []Finding
	for _, o := range r.Evidence {
		if o.Error == "" {
			continue
		}
		f := Finding{Code: BlindSpot, Severity: Info, Target: string(o.Kind)}
		f.Summary = msg(MsgEvidenceUnread, Args{Name: o.Source})
		f.Evidence = []Message{Quote(o.Error)}
		f.Remedy = msg(MsgGiveAccess, Args{Setting: string(o.Kind)})
		list = append(list, f)
	}
	return list
}
