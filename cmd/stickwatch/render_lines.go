package main

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// balancerLine is an address of the balancer, first, and what it answered.
func balancerLine(b probes.BalancerObservation, c *probes.Cluster) []span {
	address := clean(b.URL, 2*maxName)
	if b.Address.IsValid() && !namesAddress(b.URL, b.Address) {
		address += " at " + b.Address.String()
	}
	m := good
	if !b.Primary.OK() {
		m = bad
	}
	spans := []span{{plain, address}, {plain, "  "}, toned(m, outcome(b.Primary))}
	if pages := pagesCell(b.Pages, c.Pages); pages.text != "" {
		spans = append(spans, span{dim, "  pages "}, pages)
	}
	if b.Primary.Answered() {
		spans = append(spans, span{dim, "  " + formatDuration(b.Primary.Timing.Total)})
	}
	if b.Primary.Error != "" {
		spans = append(spans, span{plain, "  " + clean(b.Primary.Error, maxError)})
	}
	return spans
}

// namesAddress reports whether a URL already names the address by number.
func namesAddress(rawURL string, address netip.AddrPort) bool {
	u, err := url.Parse(rawURL)
	return err == nil && u.Hostname() == address.Addr().String()
}

// dependencyLines is one line for all that are up, and one for each other.
func dependencyLines(dependencies []checks.DependencyReport) [][]span {
	var up []span
	var lines [][]span
	for _, d := range dependencies {
		if d.Up == checks.Yes && len(d.ReportedBy) == 0 {
			if len(up) > 0 {
				up = append(up, span{plain, "  "})
			}
			up = append(up, toned(good, name(d.Name)))
			continue
		}
		lines = append(lines, []span{toned(toneOf(d.Up), name(d.Name)), {plain, "  " + dependencyState(d)}})
	}
	if len(up) > 0 {
		lines = slices.Insert(lines, 0, up)
	}
	return lines
}

// dependencyState is what is known of a dependency, with who says so.
func dependencyState(d checks.DependencyReport) string {
	state := map[checks.Answer]string{checks.Yes: "up", checks.No: "down"}[d.Up]
	state = cmp.Or(state, "not probed")
	if len(d.ReportedBy) > 0 {
		state += ", reported down by " + names(d.ReportedBy)
	}
	if d.Error != "" {
		state += ": " + clean(d.Error, maxError)
	}
	return state
}

// maxError bounds an error beside what it happened to; findings tell the rest.
const maxError = 2 * maxName
