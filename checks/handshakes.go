package checks

import (
	"fmt"

	"stickwatch/probes"
)

// handshakes finds Engine.IO handshakes that break on their way through the
// balancer, and upgrades that do not pass it. A round that was cut short tells
// nothing of them: it may be what broke them.
func handshakes(v *view) []Finding {
	if len(v.unasked()) > 0 {
		return nil
	}
	var broken, refused []string
	aims := make(map[string]bool)
	for _, h := range v.Handshakes {
		switch {
		case !h.Opened || !h.Known:
			broken = append(broken, describeHandshake(h))
			aims[h.Expected] = true
		case h.Offered && !h.Upgraded:
			refused = append(refused, describeHandshake(h))
		}
	}
	var list []Finding
	if len(broken) > 0 {
		f := Finding{Code: HandshakeBroken, Severity: Critical}
		f.Nodes = v.nodesWhere(func(id string) bool { return aims[id] })
		f.Summary = fmt.Sprintf("the Engine.IO handshake breaks: %d of %s could not begin", len(broken), plural(len(v.Handshakes), "client", "clients"))
		f.Evidence = firstFew(broken)
		f.Remedy = "Every request of a handshake must reach the node that opened it: the balancer needs ip_hash or a sticky cookie on this path."
		list = append(list, f)
	}
	if len(refused) > 0 {
		f := Finding{Code: UpgradeRefused, Severity: Warning}
		f.Summary = fmt.Sprintf("the WebSocket upgrade does not pass the balancer: %d of %s on polling", len(refused), plural(len(v.Handshakes), "client stays", "clients stay"))
		f.Evidence = firstFew(refused)
		f.Remedy = "In nginx's location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";"
		list = append(list, f)
	}
	return list
}

func describeHandshake(h probes.HandshakeObservation) string {
	got := orElse(probes.Clean(h.Error, probes.MaxError), "no upgrade")
	if h.Status != 0 {
		got = fmt.Sprintf("HTTP %d, %s", h.Status, got)
	}
	return fmt.Sprintf("%s at %s, stage %s: %s", clientOf(h.Client), h.Balancer, orElse(h.Stage, "open"), got)
}
