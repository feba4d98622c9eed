package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
)

// A strip is a row of slots of time, drawn as one path for each mark that
// occurs, and nothing where nothing is known. A slot is the higher the worse it
// was, so a strip reads without colours as well.
type strip struct {
	Slots int
	Paths []stripPath
	Label string // what it shows, in words
	Calm  bool   // it is good all over: the stylesheet draws it, as most of a page's are
}

type stripPath struct {
	Class mark
	D     string // SVG path data, in a box of Slots by 8
}

// middle is where a mark's line runs, which the stylesheet makes so wide that it
// stands on the lower edge of the box: good 3, worse 6, trouble 8.
var middle = map[mark]string{good: "6.5", worse: "5", trouble: "4"}

// drawn turns one mark a slot into paths.
func drawn(slots []mark) []stripPath {
	var paths []stripPath
	for _, class := range []mark{good, worse, trouble} {
		var d strings.Builder
		for from := 0; from < len(slots); {
			to := from + 1
			for to < len(slots) && slots[to] == slots[from] {
				to++
			}
			if slots[from] == class {
				fmt.Fprintf(&d, "M%d %sh%d", from, middle[class], to-from)
			}
			from = to
		}
		if d.Len() > 0 {
			paths = append(paths, stripPath{class, d.String()})
		}
	}
	return paths
}

// hours is a target's last hours.
func (v viewer) hours(points []checks.Point, span checks.Span) strip {
	marks := make([]mark, slots)
	for i := range marks {
		marks[i] = unsure
	}
	for _, p := range points {
		if i := slotOf(span, p.At); i >= 0 && p.Probes > 0 {
			marks[i] = markOfPoint(p)
		}
	}
	calm := !slices.ContainsFunc(marks, func(m mark) bool { return m != good })
	return strip{Slots: slots, Paths: drawn(marks), Label: v.hoursInWords(marks, span), Calm: calm}
}

// markOfPoint: a slot in which hardly anything was answered was an outage; one
// failure among many is not.
func markOfPoint(p checks.Point) mark {
	switch {
	case p.Failed == 0:
		return good
	case 2*p.Failed >= p.Probes:
		return trouble
	default:
		return worse
	}
}

// mostTold is how many stretches of trouble a label tells.
const mostTold = 3

// hoursInWords tells when there was trouble.
func (v viewer) hoursInWords(marks []mark, span checks.Span) string {
	var told []string
	known := false
	for i := 0; i < len(marks); {
		to := i + 1
		for to < len(marks) && marks[to] == marks[i] {
			to++
		}
		known = known || marks[i] != unsure
		if marks[i] == trouble || marks[i] == worse {
			told = append(told, v.say("%s %s to %s", v.trouble(marks[i]), v.slotStart(span, i), v.slotStart(span, to)))
		}
		i = to
	}
	switch {
	case !known:
		return v.say("nothing known")
	case len(told) == 0:
		return v.say("no failures")
	case len(told) > mostTold:
		return strings.Join(told[len(told)-mostTold:], ", ") + v.say(", and %d more", len(told)-mostTold)
	default:
		return strings.Join(told, ", ")
	}
}

func (v viewer) trouble(m mark) string {
	if m == trouble {
		return v.say("failing")
	}
	return v.say("failing at times")
}

// slotStart is the time of day at which a slot begins.
func (v viewer) slotStart(span checks.Span, slot int) string {
	return v.timeOfDay(span.From.Add(time.Duration(slot)*slotTime(span)), span)
}
