package checks

import (
	"time"

	"stickwatch/probes"
)

// latency finds nodes and balancer addresses that answer slowly.
func latency(oc *outcomes) []Finding {
	limit := oc.round.Cluster.Limits.Slow
	if limit <= 0 {
		return nil
	}
	var list []Finding
	for _, o := range oc.nodes.enabled {
		if ex, ok := slowest(directExchanges(o), limit); ok {
			f := about(Slow, Warning, o.Node)
			f.Summary = msg(MsgSlowNode, Args{Node: o.Node, Duration: round(ex.Timing.Total), Limit: limit})
			f.Evidence = []Message{phases(ex)}
			f.Remedy = msg(MsgFindLoad, Args{Node: o.Node})
			list = append(list, f)
		}
	}
	for _, front := range oc.frontends {
		if ex, ok := slowest(front.plain(), limit); ok {
			f := aboutFrontend(Slow, Warning, front)
			f.facts.retried = afterRetries(ex)
			f.Summary = msg(MsgSlowBalancer, Args{Address: front.name, Duration: round(ex.Timing.Total), Limit: limit})
			f.Evidence = []Message{phases(ex)}
			f.Remedy = msg(MsgCompareDirect, Args{})
			list = append(list, f)
		}
	}
	return list
}

// slowest returns the slowest complete answer above limit. A missing answer is reported by
// another check.
func slowest(exchanges []probes.Exchange, limit time.Duration) (probes.Exchange, bool) {
	var worst probes.Exchange
	for _, ex := range exchanges {
		if ex.Failure == "" && ex.Timing.Total > max(limit, worst.Timing.Total) {
			worst = ex
		}
	}
	return worst, worst.Timing.Total > 0
}

// afterRetries reports whether a balancer that waits a second before it tries a server again, as HAProxy
// does, has waited for that only.
func afterRetries(ex probes.Exchange) bool {
	const wait = time.Second
	return ex.Timing.Total >= wait && ex.Timing.Total%wait <= wait/10
}

// phases says where the time of an answer went.
func phases(ex probes.Exchange) Message {
	t := ex.Timing
	return msg(MsgPhases, Args{Why: new(describe(ex)), Timing: probes.Timing{
		DNS: round(t.DNS), Connect: round(t.Connect), TLS: round(t.TLS), FirstByte: round(t.FirstByte),
	}})
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// certificates finds certificates that expire soon, once for each node and balancer
// address.
func certificates(oc *outcomes) []Finding {
	limit := oc.round.Cluster.Limits.CertificateExpiry
	var list []Finding
	for _, o := range oc.nodes.enabled {
		if remaining, ok := expiring(o.Primary, limit); ok {
			list = append(list, aboutCertificate(about(CertificateExpiring, Warning, o.Node), o.Node, o.Primary, remaining))
		}
	}
	for _, front := range oc.frontends {
		if remaining, ok := expiring(front.Primary, limit); ok {
			f := aboutFrontend(CertificateExpiring, Warning, front)
			list = append(list, aboutCertificate(f, front.name, front.Primary, remaining))
		}
	}
	return list
}

// expiring returns the remaining time of a certificate that has less than limit.
func expiring(ex probes.Exchange, limit time.Duration) (remaining time.Duration, ok bool) {
	remaining = ex.Certificate.Sub(ex.At)
	return remaining, !ex.Certificate.IsZero() && remaining < limit
}

func aboutCertificate(f Finding, where string, ex probes.Exchange, remaining time.Duration) Finding {
	f.Summary = msg(MsgCertificateExpires, Args{Address: where, Duration: remaining})
	if remaining < 0 {
		f.facts.refused = ex.Failure == probes.FailureTLS
		f.Summary = msg(MsgCertificateExpired, Args{Address: where})
	}
	f.Evidence = []Message{msg(MsgValidUntil, Args{At: ex.Certificate})}
	f.Remedy = msg(MsgRenewCertificate, Args{})
	return f
}
