package checks

import (
	"time"

	"stickwatch/probes"
)

// certificates finds certificates that expire soon, once for each place.
func certificates(v *outcomes) []Finding {
	limit := v.Cluster.Limits.CertificateExpiry
	var list []Finding
	for _, o := range v.active {
		if left, ok := expiring(o.Primary, limit); ok {
			list = append(list, aboutCertificate(about(CertificateExpiring, Warning, o.Node), o.Node, o.Primary, left))
		}
	}
	for _, e := range v.frontends {
		if left, ok := expiring(e.Primary, limit); ok {
			f := Finding{Code: CertificateExpiring, Severity: Warning, Target: e.name}
			list = append(list, aboutCertificate(f, e.name, e.Primary, left))
		}
	}
	return list
}

// expiring tells how much is left of a certificate that has less than limit.
func expiring(ex probes.Exchange, limit time.Duration) (left time.Duration, ok bool) {
	left = ex.Certificate.Sub(ex.At)
	return left, !ex.Certificate.IsZero() && left < limit
}

func aboutCertificate(f Finding, where string, ex probes.Exchange, left time.Duration) Finding {
	f.Summary = msg(MsgCertificateExpires, Args{Address: where, Duration: left})
	if left < 0 {
		f.Summary = msg(MsgCertificateExpired, Args{Address: where})
	}
	f.Evidence = []Message{msg(MsgValidUntil, Args{At: ex.Certificate})}
	f.Remedy = msg(MsgRenewCertificate, Args{})
	return f
}
