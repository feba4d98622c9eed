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
	for _, b := range v.Balancers {
		switch seen := v.seenAt(b); {
		case !slices.ContainsFunc(seen, probes.Exchange.Answered):
			if !v.hangsBehind(seen) {
				list = append(list, v.balancerDown(b))
			}
		default:
			if f, ok := v.balancerError(b, seen); ok {
				list = append(list, f)
			}
		}
	}
	return list
}

// seenAt is every exchange with one address of the balancer.
func (v *view) seenAt(b probes.BalancerObservation) []probes.Exchange {
	seen := append([]probes.Exchange{b.Primary}, b.Pages...)
	for _, w := range v.walksAt(b) {
		for _, step := range w.Steps {
			seen = append(seen, step.Exchange)
		}
	}
	return seen
}

// hangsBehind: the balancer takes connections, and a node that does not answer
// in time explains why nothing comes back.
func (v *view) hangsBehind(seen []probes.Exchange) bool {
	accepted := slices.ContainsFunc(seen, func(ex probes.Exchange) bool {
		return ex.Failure == probes.FailureTimeout && ex.Own.IsValid()
	})
	hanging := slices.ContainsFunc(v.Nodes, func(o probes.NodeObservation) bool {
		return o.Primary.Failure == probes.FailureTimeout
	})
	return accepted && hanging
}

func (v *view) balancerDown(b probes.BalancerObservation) Finding {
	f := Finding{Code: BalancerDown, Severity: Critical, Target: b.URL}
	f.Summary = fmt.Sprintf("the balancer at %s gives no HTTP answer", b.URL)
	f.Evidence = []string{v.brief(b.Primary)}
	switch b.Primary.Failure {
	case probes.FailureDNS:
		f.Remedy = "Its name does not resolve: look at DNS, and at the resolver of this prober."
	case probes.FailureRefused:
		f.Remedy = "Nothing listens there: start the balancer, or correct balancer.url."
	case probes.FailureTLS, probes.FailureMalformed:
		f.Remedy = "Something answers, but not as configured: check scheme, port and certificate in balancer.url."
	default:
		f.Remedy = "Look whether the balancer runs and whether a firewall drops the connection."
	}
	return f
}

// balancerError: the answers are the balancer's own errors. Those that a
// failing node explains are that node's evidence instead, as long as the
// balancer serves anybody.
func (v *view) balancerError(b probes.BalancerObservation, seen []probes.Exchange) (Finding, bool) {
	var errs []string
	answered, unexplained := 0, 0
	for _, ex := range seen {
		if ex.Answered() {
			answered++
		}
		if v.ownError(ex) {
			errs = append(errs, v.brief(ex))
			if !v.explained(ex) {
				unexplained++
			}
		}
	}
	if len(errs) == 0 || (len(errs) < answered && unexplained == 0) {
		return Finding{}, false
	}
	f := Finding{Code: BalancerError, Severity: Critical, Target: b.URL}
	f.Summary = fmt.Sprintf("the balancer at %s answered %d of %d requests with an error of its own", b.URL, len(errs), answered)
	f.Evidence = firstFew(errs)
	f.Remedy = "Look in the balancer's error log for \"no live upstreams\", \"connect() failed\" or time-outs; when the nodes are well, see whether the balancer can reach them."
	return f, true
}

// explained reports whether a failing node is to blame for a failed exchange.
func (v *view) explained(ex probes.Exchange) bool {
	for _, a := range v.answers {
		if a.Exchange.At.Equal(ex.At) && a.Path == ex.Path && v.failedAt(a, v.Walks[a.walk]) != "" {
			return true
		}
	}
	return v.onlyFailing() != ""
}

// ownError: a gateway error that no node signed and none gives when asked
// directly.
func (v *view) ownError(ex probes.Exchange) bool {
	if ex.Status != 502 && ex.Status != 503 && ex.Status != 504 || v.who.Who(ex.Label) != "" {
		return false
	}
	return !slices.ContainsFunc(v.Nodes, func(o probes.NodeObservation) bool {
		direct := append([]probes.Exchange{o.Primary}, o.Pages...)
		if o.Session != nil {
			direct = append(direct, *o.Session)
		}
		return slices.ContainsFunc(direct, func(d probes.Exchange) bool { return d.Path == ex.Path && d.Status == ex.Status })
	})
}
