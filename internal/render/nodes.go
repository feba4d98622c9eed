package render

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A column of the node matrix.
type column struct {
	title string
	cell  func(checks.NodeReport) span // without text: unknown
}

// nodeMatrix returns the node matrix, a row a node. The first row is the header. Columns
// without a value are omitted.
func (f formatter) nodeMatrix(r checks.Report, c *probes.Cluster) [][]span {
	columns := []column{
		{"NODE", func(n checks.NodeReport) span { return span{plain, CleanName(n.Node)} }},
		{"DIRECT", f.directCell},
		{"STATE", f.stateCell},
		{"PAGES", func(n checks.NodeReport) span { return f.pagesCell(n.Pages, c.Pages) }},
		{"ROTATION", f.rotationCell},
		{"VERSION", func(n checks.NodeReport) span { return span{plain, cleanWord(n.Version)} }},
		{"CLOCK", clockCell},
		{"LATENCY", latencyCell},
	}
	columns = slices.DeleteFunc(columns, func(c column) bool {
		return !slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return c.cell(n).text != "" })
	})
	rows := [][]span{make([]span, len(columns))}
	for i, c := range columns {
		rows[0][i] = span{dim, f.Translate(c.title)}
	}
	for _, n := range r.Nodes {
		row := make([]span, len(columns))
		for i, c := range columns {
			if row[i] = c.cell(n); row[i].text == "" {
				row[i] = span{dim, "-"}
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (f formatter) directCell(n checks.NodeReport) span {
	t := good
	if !n.Up {
		t = bad
	}
	return toned(t, f.outcome(n.Primary))
}

// outcome returns the failure class of an exchange, or its HTTP status.
func (f formatter) outcome(e probes.Exchange) string {
	switch {
	case e.Failure != "":
		return f.Translate(string(e.Failure))
	case e.Status != 0:
		return strconv.Itoa(e.Status)
	default:
		return f.Translate("not probed")
	}
}

func (f formatter) stateCell(n checks.NodeReport) span {
	switch {
	case n.Status == nil:
		return span{}
	case n.Status.Paused() && n.Status.State == "":
		return toned(bad, f.Translate("paused"))
	case n.Status.Paused():
		return toned(bad, cleanWord(n.Status.State))
	default:
		return span{plain, cleanWord(n.Status.State)}
	}
}

// pagesCell shows one page by its status, several by how many are as configured.
func (f formatter) pagesCell(pages []probes.Exchange, asked []probes.Page) span {
	if len(pages) == 0 {
		return span{}
	}
	right := 0
	for i, e := range pages {
		if pageRight(e, i, asked) {
			right++
		}
	}
	t := good
	if right < len(pages) {
		t = bad
	}
	if len(pages) == 1 {
		return toned(t, f.outcome(pages[0]))
	}
	return toned(t, fmt.Sprintf("%d/%d", right, len(pages)))
}

func pageRight(e probes.Exchange, i int, asked []probes.Page) bool {
	want := probes.StatusRange{From: 200, To: 399}
	if i < len(asked) {
		want = asked[i].Want
	}
	return e.Failure == "" && want.Has(e.Status)
}

func (f formatter) rotationCell(n checks.NodeReport) span {
	switch {
	case n.InRotation == checks.Yes && !n.Up: // users are sent there
		return toned(bad, f.Translate("in"))
	case n.InRotation == checks.Yes:
		return toned(good, f.Translate("in"))
	case n.InRotation == checks.No:
		return toned(warn, f.Translate("out"))
	default:
		return span{}
	}
}

func clockCell(n checks.NodeReport) span {
	if n.Clock.Samples == 0 {
		return span{}
	}
	return span{plain, offset(n.Clock)}
}

// offset formats an interval as its middle and half its width, both in the unit that
// suits the larger: "+5 ±15 ms".
func offset(c probes.ClockOffset) string {
	middle, half := (c.Min+c.Max)/2, (c.Max-c.Min)/2
	unit, label := time.Millisecond, "ms"
	switch largest := max(middle.Abs(), half.Abs()); {
	case largest >= 2*time.Hour:
		unit, label = time.Hour, "h"
	case largest >= 2*time.Minute:
		unit, label = time.Minute, "min"
	case largest >= time.Second:
		unit, label = time.Second, "s"
	}
	digits := 1
	if unit == time.Millisecond {
		digits = 0
	}
	return fmt.Sprintf("%+.*f ±%.*f %s",
		digits, float64(middle)/float64(unit), digits, float64(half)/float64(unit), label)
}

func latencyCell(n checks.NodeReport) span {
	if !n.Primary.Answered() {
		return span{}
	}
	return span{plain, formatDuration(n.Primary.Timing.Total)}
}

// balancerLine returns an address of the balancer, as its first span, and the answer.
func (f formatter) balancerLine(balancer probes.BalancerObservation, c *probes.Cluster) []span {
	address := Clean(balancer.URL, 2*maxName)
	if balancer.Address.IsValid() && !namesAddress(balancer.URL, balancer.Address) {
		address = f.Translate("%s at %s", address, balancer.Address.String())
	}
	t := good
	if !balancer.Primary.OK() {
		t = bad
	}
	spans := []span{{plain, address}, {plain, "  "}, toned(t, f.outcome(balancer.Primary))}
	if pages := f.pagesCell(balancer.Pages, c.Pages); pages.text != "" {
		spans = append(spans, span{dim, "  " + f.Translate("pages") + " "}, pages)
	}
	if balancer.Primary.Answered() {
		spans = append(spans, span{dim, "  " + formatDuration(balancer.Primary.Timing.Total)})
	}
	if balancer.Primary.Error != "" {
		spans = append(spans, span{plain, "  " + f.reason(balancer.Primary.Error)})
	}
	return spans
}

// namesAddress reports whether the host of a URL is the address.
func namesAddress(rawURL string, address netip.AddrPort) bool {
	u, err := url.Parse(rawURL)
	return err == nil && u.Hostname() == address.Addr().String()
}

// dependencyLines returns one line for all dependencies that are up, and one for each
// of the others.
func (f formatter) dependencyLines(dependencies []checks.DependencyReport) [][]span {
	var up []span
	var lines [][]span
	for _, d := range dependencies {
		if d.Up == checks.Yes && len(d.ReportedBy) == 0 {
			if len(up) > 0 {
				up = append(up, span{plain, "  "})
			}
			up = append(up, toned(good, CleanName(d.Name)))
			continue
		}
		lines = append(lines, []span{toned(toneOf(d.Up), CleanName(d.Name)), {plain, "  " + f.dependencyState(d)}})
	}
	if len(up) > 0 {
		lines = slices.Insert(lines, 0, up)
	}
	return lines
}

// dependencyState returns the state of a dependency and the nodes that report it.
func (f formatter) dependencyState(d checks.DependencyReport) string {
	state := map[checks.Tristate]string{checks.Yes: f.Translate("up"), checks.No: f.Translate("down")}[d.Up]
	state = cmp.Or(state, f.Translate("not probed"))
	if len(d.ReportedBy) > 0 {
		state = f.Translate("%s, reported down by %s", state, CleanNames(d.ReportedBy))
	}
	if d.Error != "" {
		state = f.Translate("%s: %s", state, f.reason(d.Error))
	}
	return state
}
