package checks

import (
	"fmt"

	"stickwatch/probes"
)

// handshakes finds Engine.IO handshakes that break on their way through the
// balancer, and upgrades that do not pass it.
func handshakes(v *view) []Finding {
	var broken, refused []string
	for _, h := range v.Handshakes {
		switch {
		case !h.Opened || !h.Known:
			broken = append(broken, tellHandshake(h))
		case h.Offered && !h.Upgraded:
			refused = append(refused, tellHandshake(h))
		}
	}
	var list []Finding
	if len(broken) > 0 {
		f := Finding{Code: HandshakeBroken, Severity: Critical}
		f.Summary = fmt.Sprintf("the Engine.IO handshake breaks: %d of %d clients could not begin", len(broken), len(v.Handshakes))
		f.Evidence = firstFew(broken)
		f.Remedy = "Every request of a handshake must reach the node that opened it: the balancer needs ip_hash or a sticky cookie on this path."
		list = append(list, f)
	}
	if len(refused) > 0 {
		f := Finding{Code: UpgradeRefused, Severity: Warning}
		f.Summary = fmt.Sprintf("the WebSocket upgrade does not pass the balancer: %d of %d clients stay on polling", len(refused), len(v.Handshakes))
		f.Evidence = firstFew(refused)
		f.Remedy = "In nginx's location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";"
		list = append(list, f)
	}
	return list
}

func tellHandshake(h probes.HandshakeObservation) string {
	client := clientOf(probes.Walk{Client: h.Client})
	return fmt.Sprintf("%s at %s, stage %s: HTTP %d, %s", client, h.Balancer, h.Stage, h.Status, orElse(probes.Clean(h.Error, probes.MaxError), "no upgrade"))
}
