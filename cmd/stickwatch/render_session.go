package main

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"stickwatch/checks"
	"stickwatch/probes"
)

// maxStays bounds how many changes of a canary's way are told.
const maxStays = 12

// A stay is equal answers in a row.
type stay struct {
	span
	fresh bool // begins with another session than the one before
	times int
}

// stays shortens a canary's steps to what changes, and tells whether its
// session was the same all along: Unknown when no answer showed one.
func stays(steps []checks.CanaryStep) ([]stay, checks.Answer) {
	var all []stay
	var session probes.Fingerprint
	kept := checks.Unknown
	for _, s := range steps {
		fresh := s.Session != "" && session != "" && s.Session != session
		switch {
		case fresh:
			kept = checks.No
		case s.Session != "" && session != "" && kept == checks.Unknown:
			kept = checks.Yes
		}
		session = cmp.Or(s.Session, session)

		answer := answerOf(s)
		if n := len(all); n > 0 && all[n-1].span == answer && !fresh {
			all[n-1].times++
			continue
		}
		all = append(all, stay{answer, fresh, 1})
	}
	return all, kept
}

func answerOf(s checks.CanaryStep) span {
	switch {
	case s.Error != "" && s.Status != 0:
		return marked(bad, strconv.Itoa(s.Status))
	case s.Error != "":
		return marked(bad, cell(s.Error))
	case s.Node != "":
		return span{plain, name(s.Node)}
	case s.Status >= 500:
		return marked(bad, strconv.Itoa(s.Status))
	default:
		return span{doubt, "(does not tell)"}
	}
}

// way is a canary's way from node to node: "node1 ×3 → node2 ×2  ✓ kept". A
// star marks where its session was another one.
func way(c checks.Canary) []span {
	all, kept := stays(c.Steps)
	if len(all) == 0 {
		return []span{marked(doubt, "no answer")}
	}
	var spans []span
	for i, r := range all {
		if i == maxStays {
			spans = append(spans, span{warn, fmt.Sprintf(" → … %d more changes", len(all)-i)})
			break
		}
		spans = append(spans, stop(r, i > 0)...)
	}
	switch kept {
	case checks.Yes:
		spans = append(spans, span{plain, "  "}, marked(good, "kept"))
	case checks.No:
		spans = append(spans, span{plain, "  "}, marked(bad, "lost"), span{faint, " (* a new session)"})
	}
	return spans
}

// stop is one stay of a way. Moved: it is not where the canary began.
func stop(s stay, moved bool) []span {
	var spans []span
	if moved {
		spans = append(spans, span{warn, " → "})
		if s.mark == plain {
			s.mark = warn
		}
	}
	spans = append(spans, s.span)
	if s.fresh {
		spans = append(spans, span{bad, "*"})
	}
	if s.times > 1 {
		spans = append(spans, span{faint, " ×" + strconv.Itoa(s.times)})
	}
	return spans
}

// steady reports whether a canary stayed where it was, with its session.
func steady(c checks.Canary) bool {
	all, kept := stays(c.Steps)
	return len(all) == 1 && all[0].mark == plain && kept != checks.No
}

// whose names a canary: the address it presented, and the node it belongs to
// where its first answer came from elsewhere.
func whose(c checks.Canary) string {
	client := name(cmp.Or(c.Client, "own address"))
	if c.Pinned != "" && len(c.Steps) > 0 && c.Steps[0].Node != "" && c.Steps[0].Node != c.Pinned {
		client += " of " + name(c.Pinned)
	}
	return client
}

// sessionAnswers answer what users ask about their session: does it stick,
// and is it shared where it was promised to be. None without a promise.
func sessionAnswers(s checks.SessionReport) []span {
	var all []span
	switch s.Policy {
	case "", probes.PolicyNone:
	case probes.PolicyShared: // sticking was not promised
		all = append(all, marked(markOf(s.Shared), "shared: "+answer(s.Shared)+basis(s)))
		if known(s.Sticky) {
			all = append(all, marked(note, "sticky: "+answer(s.Sticky)+sureness(s)+", which this policy leaves open"))
		}
	default:
		all = append(all, marked(markOf(s.Sticky), "sticky: "+answer(s.Sticky)+sureness(s)+basis(s)+because(s)))
		if s.Policy == probes.PolicyReplicated {
			all = append(all, marked(markOf(s.Shared), "replicated: "+answer(s.Shared)))
		}
	}
	return all
}

func known(a checks.Answer) bool { return a == checks.Yes || a == checks.No }

func answer(a checks.Answer) string { return string(cmp.Or(a, checks.Unknown)) }

// sureness is the confidence in words, rounded down: luck is never excluded.
func sureness(s checks.SessionReport) string {
	switch percent := math.Floor(s.Confidence*1e4+1e-6) / 100; {
	case s.Confidence <= 0:
		return ""
	case percent > 99.99:
		return ", over 99.99 % sure"
	default:
		return ", " + strconv.FormatFloat(percent, 'f', -1, 64) + " % sure"
	}
}

// basis tells how much the answer rests on.
func basis(s checks.SessionReport) string {
	switch {
	case len(s.Canaries) > 0:
		return fmt.Sprintf(" (%s, %s)", count(len(s.Canaries), "canary", "canaries"), followUps(s.Canaries))
	case s.Fresh > 0:
		return fmt.Sprintf(" (%s)", count(s.Fresh, "fresh client", "fresh clients"))
	default:
		return ""
	}
}

func followUps(canaries []checks.Canary) string {
	least, most := math.MaxInt, 0
	for _, c := range canaries {
		n := 0
		for _, s := range c.Steps {
			if s.Kind == probes.StepFollow {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
	}
	each := ""
	if len(canaries) > 1 {
		each = " each"
	}
	if least < most {
		return fmt.Sprintf("%d-%d follow-ups%s", least, most, each)
	}
	return count(most, "follow-up", "follow-ups") + each
}

// because is the reason, where the answer is not the one hoped for.
func because(s checks.SessionReport) string {
	if s.Sticky == checks.Yes || s.Reason.IsZero() {
		return ""
	}
	return "; " + words(s.Reason)
}
