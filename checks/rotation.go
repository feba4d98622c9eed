package checks

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// rotation finds healthy nodes that get nobody, and failing ones that do.
func rotation(v *view) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		place := v.places[n.ID]
		if place.Sure && v.well(n.ID) {
			list = append(list, v.ejected(n, "", place.Reason))
		}
		if v.well(n.ID) {
			for _, e := range place.Elsewhere {
				list = append(list, v.ejected(n, e.entrance, e.reason))
			}
		}
		if f, ok := v.failingInRotation(n); ok {
			list = append(list, f)
		}
	}
	return list
}

// ejected: by the whole balancer, or by one of its addresses.
func (v *view) ejected(n probes.Node, entrance, reason string) Finding {
	f := about(NodeEjected, Warning, n.ID)
	f.Target = entrance
	f.Summary = fmt.Sprintf("%s is healthy when asked directly, and the balancer sends it nothing", n.ID)
	if entrance != "" {
		f.Summary = fmt.Sprintf("%s is healthy when asked directly, and the balancer at %s sends it nothing", n.ID, entrance)
	}
	f.Evidence = append([]string{reason, "asked directly: " + describe(v.direct[n.ID].Primary)}, firstFew(v.spoken(n, reason))...)
	if t := v.Cluster.Balancer.FailTimeout; t > 0 && v.Cluster.Balancer.Method != probes.MethodCookie {
		f.Remedy = fmt.Sprintf("If it failed a moment ago, nginx takes it back by itself about %s after its last failed try; a reload is not needed. "+
			"If it stays out, look for \"temporarily disabled\" in the balancer's error log (at level warn; the default, error, hides it) and whether the balancer can reach %s.", t, n.ServerName())
		return f
	}
	f.Remedy = "Look at the balancer's own state of this server, and whether the balancer can reach " + n.ServerName() + "."
	return f
}

// failingInRotation: clients that the balancer sent to n failed. With no node
// left the balancer cannot do otherwise, and its own error says so.
func (v *view) failingInRotation(n probes.Node) (Finding, bool) {
	if v.nobodyUp() {
		return Finding{}, false
	}
	var evidence []string
	triedFirst := 0
	for _, a := range v.answers {
		if a.blamed == n.ID {
			evidence = append(evidence, fmt.Sprintf("%s got %s", clientOf(a.walk.Client), describe(a.Exchange)))
		}
		if slices.Contains(a.tried, n.ID) {
			triedFirst++
		}
	}
	for _, e := range v.entrances {
		for _, ex := range e.plain() {
			if v.blamePlain(ex) == n.ID {
				evidence = append(evidence, "a plain request got "+describe(ex))
			}
		}
	}
	if triedFirst > 0 {
		evidence = append(evidence, plural(triedFirst, "request was", "requests were")+" tried on it first and answered by another node")
	}
	if len(evidence) == 0 {
		return Finding{}, false
	}
	f := about(NodeFailingInRotation, Critical, n.ID)
	f.Summary = fmt.Sprintf("%s fails, and the balancer still sends it requests", n.ID)
	f.Evidence = append(firstFew(evidence), v.ejectionBudget(n.ID))
	f.Remedy = fmt.Sprintf("Take %s out of the balancer (mark the server down and reload) until it is repaired.", n.ID)
	return f, true
}

// ejectionBudget tells how many failures more until the balancer ejects the
// node. nginx counts connection errors and time-outs; HTTP errors only where
// proxy_next_upstream lists them.
func (v *view) ejectionBudget(node string) string {
	switch b := v.Cluster.Balancer; {
	case b.Method == probes.MethodCookie:
		return "when the balancer ejects it is for its own health checks to say"
	case b.MaxFails == 0:
		return "the balancer's ejection is off (max_fails=0): it goes on until somebody acts"
	case b.MaxFails == 1:
		return fmt.Sprintf("with max_fails=1 nginx ejects it at the next failed connection or time-out, for %s, in each worker; HTTP errors count only if proxy_next_upstream lists them", b.FailTimeout)
	default:
		failing := v.failing(node)
		return fmt.Sprintf("time left: %.0f %% of the requests to it failed; at one request a second, max_fails=%d lets nginx eject it in about %s, each worker for itself; "+
			"failures more than fail_timeout=%s apart never add up, and HTTP errors count only if proxy_next_upstream lists them",
			100*failing, b.MaxFails, TimeToEjection(b.MaxFails, 1, failing, 0).Round(time.Second), b.FailTimeout)
	}
}

// failing is the part of the requests first sent to a node that failed, as far
// as was seen; 1 where none was seen.
func (v *view) failing(node string) float64 {
	failed, all := 0, v.given(node)
	for _, a := range v.answers {
		if a.blamed == node || slices.Contains(a.tried, node) {
			failed, all = failed+1, all+1
		}
	}
	if failed == 0 {
		return 1
	}
	return float64(failed) / float64(all)
}

// TimeToEjection is how long nginx goes on sending requests to a failing server
// before a worker first ejects it: max_fails failures must be counted, of which
// the first is there at once.
//
// The rate is that of failing requests a second first sent to the server, all
// workers together; latency is how long one takes to fail. An upstream with a
// zone counts as one worker.
func TimeToEjection(maxFails, workers int, rate float64, latency time.Duration) time.Duration {
	gaps := float64(max(0, maxFails-1)*max(1, workers)) / rate
	return latency + time.Duration(gaps*float64(time.Second))
}
