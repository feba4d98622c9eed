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
	for _, o := range v.Nodes {
		exchanges := append([]probes.Exchange{o.Primary}, o.Pages...)
		if o.Session != nil {
			exchanges = append(exchanges, *o.Session)
		}
		if ex, ok := slowest(exchanges, limit); ok {
			f := about(Slow, Warning, o.Node)
			f.Summary = fmt.Sprintf("%s took %s to answer directly, more than %s", o.Node, round(ex.Timing.Total), limit)
			f.Evidence = []string{v.phases(ex)}
			f.Remedy = "Look at load, garbage collection and the services behind " + o.Node + "."
			list = append(list, f)
		}
	}
	for _, b := range v.Balancers {
		if ex, ok := slowest(append([]probes.Exchange{b.Primary}, b.Pages...), limit); ok {
			f := Finding{Code: Slow, Severity: Warning, Target: b.URL}
			f.Summary = fmt.Sprintf("the balancer at %s took %s to answer, more than %s", b.URL, round(ex.Timing.Total), limit)
			f.Evidence = []string{v.phases(ex)}
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

func (v *view) phases(ex probes.Exchange) string {
	t := ex.Timing
	return fmt.Sprintf("%s; name %s, connect %s, TLS %s, first byte %s", v.brief(ex), round(t.DNS), round(t.Connect), round(t.TLS), round(t.FirstByte))
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// certificates finds certificates that expire soon, once for each place.
func certificates(v *view) []Finding {
	limit := v.Cluster.Limits.CertificateExpiry
	var list []Finding
	expiring := func(ex probes.Exchange) (time.Duration, bool) {
		left := ex.Certificate.Sub(ex.At)
		return left, !ex.Certificate.IsZero() && left < limit
	}
	finish := func(f Finding, where string, ex probes.Exchange, left time.Duration) {
		f.Summary = fmt.Sprintf("the certificate of %s expires in %.1f days", where, left.Hours()/24)
		f.Evidence = []string{"valid until " + ex.Certificate.UTC().Format(time.RFC3339)}
		f.Remedy = "Renew it and reload the server that presents it."
		list = append(list, f)
	}
	for _, o := range v.Nodes {
		if left, ok := expiring(o.Primary); ok {
			finish(about(CertificateExpiring, Warning, o.Node), o.Node, o.Primary, left)
		}
	}
	for _, b := range v.Balancers {
		if left, ok := expiring(b.Primary); ok {
			finish(Finding{Code: CertificateExpiring, Severity: Warning, Target: b.URL}, b.URL, b.Primary, left)
		}
	}
	return list
}
