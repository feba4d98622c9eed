package checks

import (
	"fmt"
	"slices"

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
	var list []Finding
	var frontends []string
	through, sidLost := 0, false
	for _, h := range v.Handshakes {
		if v.ranOutOfTime(h) {
			continue
		}
		if h.Node != "" {
			if f, ok := v.handshakeAt(h); ok {
				list = append(list, f)
			}
			continue
		}
		through++
		sidLost = sidLost || (h.Opened && !h.Known)
		switch {
		case !h.Opened || !h.Known:
			broken = append(broken, describeHandshake(h))
			aims[h.Expected] = true
			if at := v.frontendName(h.URL, h.Balancer); !slices.Contains(frontends, at) {
				frontends = append(frontends, at)
			}
		case h.Offered && !h.Upgraded:
			refused = append(refused, describeHandshake(h))
		}
	}
	if len(broken) > 0 {
		f := Finding{Code: HandshakeBroken, Severity: Critical}
		f.Nodes = v.nodesWhere(func(id string) bool { return aims[id] })
		f.frontends = frontends
		f.Summary = fmt.Sprintf("the Engine.IO handshake breaks: %d of %s could not begin", len(broken), plural(through, "client", "clients"))
		f.Evidence = firstFew(broken)
		f.Remedy = "Every request of a handshake must reach the node that opened it: the balancer needs ip_hash or a sticky cookie on this path."
		if !sidLost {
			f.Remedy = "What answered is no Engine.IO endpoint: check handshake.path, and that the balancer passes this path to the nodes."
		}
		list = append(list, f)
	}
	if len(refused) > 0 {
		f := Finding{Code: UpgradeRefused, Severity: Warning}
		f.Summary = fmt.Sprintf("the WebSocket upgrade does not pass the balancer: %d of %s on polling", len(refused), plural(through, "client stays", "clients stay"))
		f.Evidence = firstFew(refused)
		f.Remedy = "In nginx's location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";"
		list = append(list, f)
	}
	return list
}

// ranOutOfTime reports whether a handshake had no time left because the node that
// it is aimed at is slow: its requests come one after the other within the time-out
// of one, and each of them takes as long as any other page of that node. A node
// whose other pages are quick enough for that has a broken endpoint.
func (v *view) ranOutOfTime(h probes.HandshakeObservation) bool {
	if !h.TimedOut {
		return false
	}
	at := orElse(h.Node, h.Expected)
	return slices.ContainsFunc(v.active, func(o probes.NodeObservation) bool {
		_, slow := slowest(questions(o), v.Cluster.Limits.Timeout/probes.HandshakeRequests)
		return slow && (at == "" || at == o.Node)
	})
}

// handshakeAt judges the handshake with one node that was asked directly.
func (v *view) handshakeAt(h probes.HandshakeObservation) (Finding, bool) {
	if !v.well(h.Node) || (h.Opened && h.Known) {
		return Finding{}, false
	}
	f := about(HandshakeBroken, Critical, h.Node)
	f.Summary = fmt.Sprintf("the Engine.IO handshake breaks at %s itself, without a balancer in between", h.Node)
	f.Evidence = []string{describeHandshake(h)}
	f.Remedy = fmt.Sprintf("Look at the socket.io server on %s: its other pages answer.", h.Node)
	return f, true
}

func describeHandshake(h probes.HandshakeObservation) string {
	got := orElse(probes.Clean(h.Error, probes.MaxError), "no upgrade")
	if h.Status != 0 {
		got = fmt.Sprintf("HTTP %d, %s", h.Status, got)
	}
	where := h.Balancer.String()
	if h.Node != "" {
		where = h.Node
	}
	return fmt.Sprintf("%s at %s, stage %s: %s", clientOf(h.Client), where, orElse(h.Stage, "open"), got)
}
