package checks

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"stickwatch/probes"
)

// A frontend is one address of the balancer. Each is a balancer of its own,
// with a view of its own of which nodes are well.
type frontend struct {
	probes.BalancerObservation
	name string // its URL, with the address where the URL has several
	traffic
}

// plain is every exchange at the frontend that belongs to no walk.
func (e frontend) plain() []probes.Exchange {
	return append([]probes.Exchange{e.Primary}, e.Pages...)
}

// answered reports whether anything came back.
func (e frontend) answered() bool {
	return slices.ContainsFunc(e.plain(), probes.Exchange.Answered) ||
		slices.ContainsFunc(e.answers, func(a *answer) bool { return a.Answered() })
}

// page names a page at the frontend.
func (e frontend) page(path string) string {
	return strings.TrimSuffix(e.URL, "/") + path + strings.TrimPrefix(e.name, e.URL)
}

// frontendOf gathers what clients met at one address.
func (v *outcomes) frontendOf(b probes.BalancerObservation) frontend {
	e := frontend{BalancerObservation: b, name: v.frontendName(b.URL, b.Address)}
	for _, w := range v.traces {
		if w.Balancer == b.Address && w.URL == b.URL {
			e.add(w)
		}
	}
	return e
}

// frontendName is the URL, with the address where the URL has a name for a
// host: it may resolve to several today and to one tomorrow, and a finding's
// key must stay the same.
func (v *outcomes) frontendName(rawURL string, at netip.AddrPort) string {
	u, err := url.Parse(rawURL)
	if err != nil || !at.IsValid() {
		return rawURL
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return rawURL
	}
	return fmt.Sprintf("%s (%s)", rawURL, at)
}
