package checks

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"stickwatch/probes"
)

// An entrance is one address of the balancer. Each is a balancer of its own,
// with a view of its own of which nodes are well.
type entrance struct {
	probes.BalancerObservation
	name string // its URL, with the address where the URL has several
	traffic
}

// plain is every exchange at the entrance that belongs to no walk.
func (e entrance) plain() []probes.Exchange {
	return append([]probes.Exchange{e.Primary}, e.Pages...)
}

// answered reports whether anything came back.
func (e entrance) answered() bool {
	return slices.ContainsFunc(e.plain(), probes.Exchange.Answered) ||
		slices.ContainsFunc(e.answers, func(a *answer) bool { return a.Answered() })
}

// page names a page at the entrance.
func (e entrance) page(path string) string {
	return strings.TrimSuffix(e.URL, "/") + path + strings.TrimPrefix(e.name, e.URL)
}

// entranceOf gathers what clients met at one address.
func (v *view) entranceOf(b probes.BalancerObservation) entrance {
	e := entrance{BalancerObservation: b, name: v.entranceName(b.URL, b.Address)}
	for _, w := range v.walks {
		if w.Balancer == b.Address && w.URL == b.URL {
			e.add(w)
		}
	}
	return e
}

// entranceName is the URL, with the address where the URL has a name for a
// host: it may resolve to several today and to one tomorrow, and a finding's
// key must stay the same.
func (v *view) entranceName(rawURL string, at netip.AddrPort) string {
	u, err := url.Parse(rawURL)
	if err != nil || !at.IsValid() {
		return rawURL
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return rawURL
	}
	return fmt.Sprintf("%s (%s)", rawURL, at)
}
