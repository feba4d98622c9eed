package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
)

// balancers finds addresses of the balancer that do not answer, or answer with
// an error of their own.
func balancers(v *view) []Finding {
	var list []Finding
	for _, e := range v.entrances {
		switch {
		case !asked(e.Primary):
		case !e.answered():
			if !v.hangsBehind(e) {
				list = append(list, balancerDown(e))
			}
		default:
			list = append(list, v.balancerErrors(e)...)
		}
	}
	return list
}

// hangsBehind: the balancer takes connections, and nothing comes back because
// of a node that hangs. It must be known which, or none be left that answers:
// else nobody would be told that clients get nothing.
func (v *view) hangsBehind(e entrance) bool {
	for _, ex := range e.plain() {
		if timedOut(ex) && ex.Own.IsValid() && (v.nobodyUp() && v.someHang() || v.hangs(v.blamePlain(ex))) {
			return true
		}
	}
	return slices.ContainsFunc(e.answers, func(a *answer) bool { return timedOut(a.Exchange) && v.hangs(a.blamed) })
}

func timedOut(ex probes.Exchange) bool { return ex.Failure == probes.FailureTimeout }

// hangs reports whether a node, asked directly, does not answer in time.
func (v *view) hangs(id string) bool {
	o, listed := v.direct[id]
	return listed && slices.ContainsFunc(questions(*o), timedOut)
}

func (v *view) someHang() bool {
	return slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool { return v.hangs(o.Node) })
}

func balancerDown(e entrance) Finding {
	f := Finding{Code: BalancerDown, Severity: Critical, Target: e.name}
	f.Summary = fmt.Sprintf("the balancer at %s gives no HTTP answer", e.name)
	f.Evidence = []string{describe(e.Primary)}
	switch e.Primary.Failure {
	case probes.FailureDNS:
		f.Remedy = "Its name does not resolve: look at DNS, and at the resolver of this prober."
	case probes.FailureRefused:
		f.Remedy = "Nothing listens there: start the balancer, or correct balancer.url."
	case probes.FailureTLS, probes.FailureMalformed:
		f.Remedy = "Something answers, but not as configured: check scheme, port and certificate in balancer.url."
	default:
		f.Remedy = "Look whether the balancer runs, whether a firewall drops the connection, and whether its nodes answer."
	}
	return f
}

// balancerErrors: the answers are the balancer's own errors. Those that a
// failing node explains are that node's evidence instead, as long as the
// balancer serves anybody.
func (v *view) balancerErrors(e entrance) []Finding {
	var evidence []string
	answered, unexplained := 0, 0
	culprits := make(map[string]bool)
	count := func(ex probes.Exchange, culprit string) {
		if ex.Answered() {
			answered++
		}
		if !v.ownError(ex) {
			return
		}
		evidence = append(evidence, describe(ex))
		if culprit == "" {
			unexplained++
		}
		culprits[culprit] = true
	}
	for _, ex := range e.plain() {
		count(ex, v.blamePlain(ex))
	}
	for _, a := range e.answers {
		count(a.Exchange, a.blamed)
	}
	if len(evidence) == 0 || (len(evidence) < answered && unexplained == 0) {
		return nil
	}
	f := Finding{Code: BalancerError, Severity: Critical, Target: e.name}
	f.Nodes = v.nodesWhere(func(id string) bool {
		return (unexplained == 0 && culprits[id]) || (v.nobodyWell() && !v.well(id))
	})
	f.Summary = fmt.Sprintf("the balancer at %s answered %d of %s with an error of its own", e.name, len(evidence), plural(answered, "request", "requests"))
	f.Evidence = firstFew(evidence)
	f.Remedy = "Look in the balancer's error log for \"no live upstreams\", \"connect() failed\" or time-outs; when the nodes are well, see whether the balancer can reach them."
	return []Finding{f}
}

// ownError: a gateway error that no node signed and none gives when asked
// directly.
func (v *view) ownError(ex probes.Exchange) bool {
	if ex.Status != 502 && ex.Status != 503 && ex.Status != 504 || v.who.Who(ex.Label) != "" {
		return false
	}
	_, told := v.outcomes[outcome{path: ex.Path, status: ex.Status}]
	return !told
}
