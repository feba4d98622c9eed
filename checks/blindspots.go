package checks

import (
	"maps"
	"slices"

	"stickwatch/probes"
)

// blindSpots finds what this configuration cannot observe, and how to change that.
func blindSpots(v *movement) []Finding {
	if v.Cluster.Session == nil || v.policy() == probes.PolicyNone || len(v.serving) < 2 {
		return nil
	}
	if v.attributedAnswers() == 0 {
		return noLabels(v.outcomes)
	}
	unseen := v.nodesWhere(func(id string) bool {
		serves := slices.ContainsFunc(v.serving, func(n probes.Node) bool { return n.ID == id })
		return serves && v.rotationStates[id].In == Unknown
	})
	if contradiction := contradiction(v); !contradiction.IsZero() {
		return []Finding{otherArithmetic(v.nodeStates, contradiction, unseen)}
	}
	if len(unseen) == 0 {
		return nil
	}
	why, remedy := blindSpotCause(v.rotation, unseen)
	if why.IsZero() {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = msg(MsgRotationUnseen, Args{Nodes: unseen, Why: &why})
	for _, id := range unseen {
		f.Evidence = append(f.Evidence, msg(MsgNodeBecause, Args{Node: id, Why: new(v.rotationStates[id].Reason)}))
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = remedy
	return []Finding{f}
}

// blindSpotCause returns why some nodes cannot be observed, and what to do about it.
// It returns nothing if the next round may observe them.
func blindSpotCause(v *rotation, unseen []string) (why, remedy Message) {
	const header = "X-Stickwatch-Client"
	switch b := v.Cluster.Balancer; {
	case b.KeyHeader() != "" && v.keyIgnored(v.traffic):
		return msg(MsgAllMetOneNode, Args{Name: b.KeyHeader()}), chooseClient(v.outcomes, b.KeyHeader())
	case b.Method == probes.MethodUnknown && v.allMetOneNode():
		return msg(MsgLikeIPHash, Args{}), msg(MsgSetMethod, Args{Why: new(chooseClient(v.outcomes, header))})
	case b.Method == probes.MethodHash && b.HashKey == "":
		return msg(MsgNoHashKey, Args{}), msg(MsgSetHashKey, Args{})
	case b.KeyHeader() == "" && hashesAddress(b):
		return msg(MsgOwnAddressOnly, Args{Method: b.Method, Address: ownAddress(v.outcomes)}), chooseClient(v.outcomes, header)
	case b.KeyHeader() == "" && b.Method == probes.MethodHash:
		return msg(MsgHashedByOther, Args{Name: b.HashKey}), msg(MsgLookAtServers, Args{})
	case tooMany(v.nodeStates, unseen):
		return msg(MsgTooManyClients, Args{Count: MaxFreshClients}), msg(MsgAskForLess, Args{})
	default:
		return Message{}, Message{}
	}
}

// tooMany reports whether one round cannot exclude chance for some node.
func tooMany(v *nodeStates, unseen []string) bool {
	return slices.ContainsFunc(unseen, func(id string) bool {
		return ClientsToMiss(v.Cluster, v.Cluster.Nodes[v.index(id)], v.Confidence) > MaxFreshClients
	})
}

// contradiction returns an answer that the balancer's arithmetic excludes whichever
// nodes are out, so that the balancer's configuration differs from ours. It returns
// nothing while sessions move, since the nodes may have changed during the round.
func contradiction(v *movement) Message {
	if v.oracle == nil || v.keyIgnored(v.traffic) || len(v.drifts)+len(v.failovers)+len(v.separations) > 0 {
		return Message{}
	}
	for _, e := range v.frontends {
		missed := v.missed(e.traffic)
		for _, a := range e.answers {
			if a.trace.Expected == "" || a.node == "" || !a.OK() {
				continue
			}
			index, ok := v.oracle.Pick(v.key(a.trace), missed...)
			next, _ := v.oracle.Pick(v.key(a.trace), append(slices.Clone(missed), v.index(a.trace.Expected))...) // ejected during the round
			if ok && v.Cluster.Nodes[index].ID != a.node && (next < 0 || v.Cluster.Nodes[next].ID != a.node) {
				return msg(MsgComputedOther, Args{Client: v.key(a.trace), Node: a.node, Other: v.Cluster.Nodes[index].ID})
			}
		}
	}
	return Message{}
}

func otherArithmetic(v *nodeStates, contradiction Message, unseen []string) Finding {
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: unseen, Target: "rotation"}
	f.Summary = msg(MsgOtherArithmetic, Args{Method: v.Cluster.Balancer.Method})
	f.Evidence = []Message{contradiction}
	f.Remedy = msg(MsgListNodesInOrder, Args{})
	return f
}

// noLabels finds that clients are served, and no answer says by which node.
func noLabels(v *outcomes) []Finding {
	if !slices.ContainsFunc(v.answers, func(a *answer) bool { return a.OK() && a.Status < 400 }) {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Target: "labels"}
	f.Summary = msg(MsgNoLabels, Args{})
	f.Evidence = []Message{msg(MsgNoLabelSeen, Args{Count: len(v.answers)})}
	f.Remedy = msg(MsgHaveNodesTell, Args{})
	return []Finding{f}
}

// chooseClient returns the nginx lines that let a prober choose its node, and the
// matching setting if it is missing.
func chooseClient(v *outcomes, header string) Message {
	args := Args{Address: ownAddress(v), Name: header}
	if v.Cluster.Balancer.KeyHeader() == "" {
		args.Setting = "client_ip_header"
	}
	return msg(MsgChooseClient, args)
}

// ownAddress returns the address of this prober as the balancer sees it, as far as it
// is known.
func ownAddress(v *outcomes) string {
	for _, a := range v.answers {
		if a.LocalAddress.IsValid() {
			return a.LocalAddress.String()
		}
	}
	return "ADDRESS-OF-THIS-PROBER"
}

// rarelyProbed finds that the interval between rounds is longer than a balancer like
// nginx leaves a node out, so that an ejection may begin and end between two rounds.
func rarelyProbed(v *nodeStates) []Finding {
	b := v.Cluster.Balancer
	if v.Every <= b.FailTimeout || b.FailTimeout <= 0 || b.MaxFails <= 0 ||
		b.Method == probes.MethodCookie || v.Cluster.Session == nil || b.Evidence.NginxErrorLog != "" || b.Evidence.HAProxyStats != nil {
		return nil
	}
	return []Finding{{
		Code: BlindSpot, Severity: Info, Target: "interval",
		Summary:  msg(MsgSeldomLooked, Args{Limit: b.FailTimeout, Duration: v.Every}),
		Evidence: []Message{msg(MsgIntervalsCompared, Args{Limit: b.FailTimeout, Duration: v.Every})},
		Remedy:   msg(MsgLookMoreOften, Args{Limit: b.FailTimeout}),
	}}
}

// addressesInTurns finds balancers with more addresses than one round probes.
func addressesInTurns(v *nodeStates) []Finding {
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
		args := Args{Address: u, Count: probed[u], Of: probed[u] + waiting[u]}
		list = append(list, Finding{
			Code: BlindSpot, Severity: Info, Target: "addresses of " + u,
			Summary:  msg(MsgAddressesInTurns, args),
			Evidence: []Message{msg(MsgAddressesCounted, args)},
			Remedy:   msg(MsgSplitAddresses, Args{}),
		})
	}
	return list
}

// unreadStatus finds nodes whose status page answers and cannot be read, so that a
// pause is not visible.
func unreadStatus(v *nodeStates) []Finding {
	nodes := v.nodesWhere(func(id string) bool { return v.up[id] && v.direct[id].StatusError != "" })
	if len(nodes) == 0 {
		return nil
	}
	f := Finding{Code: BlindSpot, Severity: Info, Nodes: nodes, Target: "status"}
	f.Summary = msg(MsgStatusUnread, Args{Nodes: nodes, Reason: v.direct[nodes[0]].StatusError})
	for _, id := range nodes {
		f.Evidence = append(f.Evidence, msg(MsgNodeBecause, Args{Node: id, Why: new(describe(v.direct[id].Primary))}))
	}
	f.Evidence = limited(f.Evidence)
	f.Remedy = msg(MsgCorrectStatusPath, Args{})
	return []Finding{f}
}

// unreadEvidence finds sources of balancer evidence that could not be read.
func unreadEvidence(v *nodeStates) []Finding {
	var list []Finding
	for _, o := range v.Evidence {
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
