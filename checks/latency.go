package checks

import (
	"fmt"
	"time"

	"stickwatch/probes"
)

// latency finds nodes and balancer addresses that answer, but slowly.
func latency(v *view) []Finding {
	limit := v.Cluster.Limits.Slow
	if limit <= 0 {
		return nil
	}
	var list []Finding
	for _, o := range v.active {
		if ex, ok := slowest(questions(o), limit); ok {
			f := about(Slow, Warning, o.Node)
			f.Summary = fmt.Sprintf("%s took %s to answer directly, more than %s", o.Node, round(ex.Timing.Total), limit)
			f.Evidence = []string{phases(ex)}
			f.Remedy = "Look at load, garbage collection and the services behind " + o.Node + "."
			list = append(list, f)
		}
	}
	for _, e := range v.frontends {
		if ex, ok := slowest(e.plain(), limit); ok {
			f := Finding{Code: Slow, Severity: Warning, Target: e.name}
			f.Summary = fmt.Sprintf("the balancer at %s took %s to answer, more than %s", e.name, round(ex.Timing.Total), limit)
			f.Evidence = []string{phases(ex)}
			f.Remedy = "Compare with the nodes asked directly: if they are quick, the time is lost in the balancer or in tries on failing nodes."
			list = append(list, f)
		}
	}
	return list
}

// slowest returns the slowest whole answer above limit. One that never came is
// another finding.
func slowest(exchanges []probes.Exchange, limit time.Duration) (probes.Exchange, bool) {
	var worst probes.Exchange
	for _, ex := range exchanges {
		if ex.Failure == "" && ex.Timing.Total > max(limit, worst.Timing.Total) {
			worst = ex
		}
	}
	return worst, worst.Timing.Total > 0
}

func phases(ex probes.Exchange) string {
	t := ex.Timing
	return fmt.Sprintf("%s; name %s, connect %s, TLS %s, first byte %s", describe(ex), round(t.DNS), round(t.Connect), round(t.TLS), round(t.FirstByte))
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
