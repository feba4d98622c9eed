package main

import (
	"fmt"

	"stickwatch/internal/gate"
	"stickwatch/internal/metrics"
)

// answer is whether anybody was thrown out of any cluster; it is not ok without
// a watch.
func (r results) answer() (all gate.Summary, ok bool) {
	for _, c := range r.Clusters {
		w, watched := r.Watches[c.Cluster]
		switch {
		case !watched:
		case ok:
			all = all.Add(w.Summary())
		default:
			all, ok = w.Summary(), true
		}
	}
	return all, ok
}

// answerText is the answer in one line: "6 sessions lost, 12 moved; longest
// outage 3.4 s".
func answerText(a gate.Summary) string {
	text := fmt.Sprintf("%s lost, %d moved", count(a.Lost, "session", "sessions"), a.Moved)
	if a.Sessions == 0 {
		text = "no session was held"
	}
	if a.LongestOutage > 0 {
		text += "; longest outage " + formatDuration(a.LongestOutage)
	} else {
		text += "; no outage"
	}
	if a.Incomplete {
		text += "; incomplete: see the doubts"
	}
	return text
}

// answerSpan is the answer, marked by whether it is good news.
func answerSpan(a gate.Summary) span {
	m := good
	switch {
	case a.Lost > 0:
		m = bad
	case a.Sessions == 0 || a.Incomplete:
		m = doubt
	case a.LongestOutage > 0:
		m = warn
	}
	return toned(m, answerText(a))
}

// watched are the watches as the metrics have them.
func (r results) watched() []metrics.Watch {
	var list []metrics.Watch
	for _, c := range r.Clusters {
		if w, ok := r.Watches[c.Cluster]; ok {
			s := w.Summary()
			list = append(list, metrics.Watch{
				Cluster: w.Cluster, Sessions: s.Sessions, Lost: s.Lost, Moved: s.Moved, LongestOutage: s.LongestOutage,
				Requests: w.Requests, Failed: w.Failed,
			})
		}
	}
	return list
}
