package web

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
)

// clientsMet is what the requests of clients met, as a band and as ratios of several spans.
type clientsMet struct {
	Served, Lost, Errors string // SVG paths in a box of Width by chartHeight
	Width                int    // a bucket is 1 wide
	Events               string // SVG path of vertical lines
	Label                string
	Ratios               []metRatio
}

// A metRatio is a row of the table of what clients met.
type metRatio struct {
	Window               string
	Requests             int
	Served, Lost, Errors string // shares; "–": no request
	AnyLost, AnyErrors   bool
	Moved                int // sessions
}

// A metSpan is what clients met in a span that ends now.
type metSpan struct {
	length time.Duration
	uptime checks.Uptime // of all sessions
	moved  int           // sessions
}

// metSpans are the spans of the table.
var metSpans = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, uptimeDays * 24 * time.Hour}

func (v viewContext) clientsMet(history *clusterHistory) clientsMet {
	total := make([]checks.Point, bucketsIn(history.span))
	for target, points := range history.points {
		if target.Kind != checks.TargetSession {
			continue
		}
		for _, p := range points {
			if i := bucketOf(history.span, p.At); i >= 0 {
				total[i].Probes += p.Probes
				total[i].Failed += p.Failed
				total[i].Unanswered += p.Unanswered
			}
		}
	}
	var served, lost, errs strings.Builder
	for x, p := range total {
		if p.Probes == 0 {
			continue
		}
		top := 0
		for _, part := range []struct {
			path  *strings.Builder
			count int
		}{{&errs, p.Unanswered}, {&lost, p.Failed - p.Unanswered}, {&served, p.Probes - p.Failed}} {
			height := (part.count*chartHeight + p.Probes - 1) / p.Probes
			height = min(height, chartHeight-top)
			if height > 0 {
				fmt.Fprintf(part.path, "M%d %dh1v%dh-1z", x, top, height)
			}
			top += height
		}
	}
	met := clientsMet{
		Served: served.String(), Lost: lost.String(), Errors: errs.String(),
		Width: len(total), Events: eventLines(history, len(total), chartHeight),
	}
	for _, s := range history.met {
		met.Ratios = append(met.Ratios, v.metRatio(s))
	}
	if len(history.met) > 0 {
		met.Label = v.translate("What clients met: %s served in %s", met.Ratios[0].Served, met.Ratios[0].Window)
	}
	return met
}

func (v viewContext) metRatio(s metSpan) metRatio {
	u := s.uptime
	row := metRatio{Window: v.spanName(s.length), Requests: u.Probes, Moved: s.moved, Served: "–", Lost: "–", Errors: "–"}
	if u.Probes > 0 {
		share := func(n int) string { return v.percent(float64(n) / float64(u.Probes)) }
		row.Served, row.Lost, row.Errors = share(u.Probes-u.Failed), share(u.Failed-u.Unanswered), share(u.Unanswered)
		row.AnyLost, row.AnyErrors = u.Failed > u.Unanswered, u.Unanswered > 0
	}
	return row
}
