package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// doubts are the reasons for which the picture is not whole enough for a
// verdict.
func (v *view) doubts() []string {
	var list []string
	if unasked := v.unasked(); len(unasked) > 0 {
		list = append(list, "the round was cut short: not asked were "+join(unasked))
	}
	if doubt := v.sessionDoubt(); doubt != "" {
		list = append(list, doubt)
	}
	if v.ExpectVersion != "" && v.noVersion() {
		list = append(list, "no node tells its version: set version in the configuration")
	}
	if v.isolated() {
		list = append(list, "nothing at all could be reached: look at this prober's own network first")
	}
	return list
}

// sessionDoubt is why it is not known whether the promise about sessions is
// kept; "" when it is known, or there is nobody to break it.
func (v *view) sessionDoubt() string {
	if v.policy() == probes.PolicyNone || len(v.destinations()) < 2 {
		return ""
	}
	switch {
	case v.noTestPage():
		return fmt.Sprintf("no node has the session test page %s: set session.path, or choose another profile", v.Cluster.Session.Path)
	case v.policy() != probes.PolicyShared && v.session.Sticky == Unknown:
		return "whether sessions stick is not known: " + v.session.Reason
	case v.policy() == probes.PolicyShared && v.followUps() == 0:
		return "no session could be opened and followed through the balancer"
	default:
		return ""
	}
}

// unasked is what stickwatch did not get to ask.
func (v *view) unasked() []string {
	list := v.nodesWhere(func(id string) bool { return !asked(v.direct[id].Primary) })
	if !slices.ContainsFunc(v.frontends, func(e frontend) bool { return asked(e.Primary) }) {
		return append(list, "the balancer")
	}
	for _, e := range v.frontends {
		if !asked(e.Primary) {
			list = append(list, e.name)
		}
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
	for _, e := range v.frontends {
		if !local(e.Primary) {
			return false
		}
	}
	return len(v.Nodes)+len(v.frontends) > 0
}
