package render

import (
	"cmp"
	"math"
	"strconv"

	"stickwatch/checks"
	"stickwatch/probes"
)

// maxSegments bounds how many segments of a trace are shown.
const maxSegments = 12

// A traceSegment is a run of equal answers in a canary's trace.
type traceSegment struct {
	span
	fresh bool // it begins with a new session
	times int
}

// traceSegments groups equal answers. kept is whether all steps had the same session;
// Unknown if no answer showed one.
func (f formatter) traceSegments(steps []checks.CanaryStep) (all []traceSegment, kept checks.Tristate) {
	var session probes.Fingerprint
	kept = checks.Unknown
	for _, s := range steps {
		fresh := s.Session != "" && session != "" && s.Session != session && !s.Kept
		switch {
		case fresh:
			kept = checks.No
		case s.Session != "" && session != "" && kept == checks.Unknown:
			kept = checks.Yes
		}
		session = cmp.Or(s.Session, session)

		answer := f.answerOf(s)
		if n := len(all); n > 0 && all[n-1].span == answer && !fresh {
			all[n-1].times++
			continue
		}
		all = append(all, traceSegment{answer, fresh, 1})
	}
	return all, kept
}

func (f formatter) answerOf(s checks.CanaryStep) span {
	switch {
	case s.Error != "" && s.Status != 0:
		return toned(bad, strconv.Itoa(s.Status))
	case s.Error != "":
		return toned(bad, cleanWord(f.Language.Reason(f.Translate(s.Error))))
	case s.Node != "":
		return span{plain, CleanName(s.Node)}
	case s.Status >= 500:
		return toned(bad, strconv.Itoa(s.Status))
	default:
		return span{doubt, f.Translate("(unknown node)")}
	}
}

// traceSpans returns a canary's trace: "node1 ×3 → node2 ×2  ✓ kept". A star marks a
// new session.
func (f formatter) traceSpans(c checks.CanaryTrace) []span {
	all, kept := f.traceSegments(c.Steps)
	if len(all) == 0 {
		return []span{toned(doubt, f.Translate("no answer"))}
	}
	var spans []span
	for i, r := range all {
		if i == maxSegments {
			spans = append(spans, span{warn, " → " + f.Translate("… %d more changes", len(all)-i)})
			break
		}
		spans = append(spans, segmentSpans(r, i > 0)...)
	}
	switch kept {
	case checks.Yes:
		spans = append(spans, span{plain, "  "}, toned(good, f.Translate("kept")))
	case checks.No:
		spans = append(spans, span{plain, "  "}, toned(bad, f.Translate("lost")), span{dim, " " + f.Translate("(* a new session)")})
	}
	return spans
}

// segmentSpans returns a segment. moved is false for the first one.
func segmentSpans(s traceSegment, moved bool) []span {
	var spans []span
	if moved {
		spans = append(spans, span{warn, " → "})
		if s.tone == plain {
			s.tone = warn
		}
	}
	spans = append(spans, s.span)
	if s.fresh {
		spans = append(spans, span{bad, "*"})
	}
	if s.times > 1 {
		spans = append(spans, span{dim, " ×" + strconv.Itoa(s.times)})
	}
	return spans
}

// isSteady reports whether a canary stayed on its node and kept its session.
func isSteady(c checks.CanaryTrace) bool {
	all, kept := formatter{}.traceSegments(c.Steps)
	return len(all) == 1 && all[0].tone == plain && kept != checks.No
}

// canaryName returns the client address of a canary, and the node that it belongs to
// if another node gave the first answer.
func (f formatter) canaryName(c checks.CanaryTrace) string {
	client := CleanName(cmp.Or(c.Client, f.Translate("own address")))
	if c.Pinned != "" && len(c.Steps) > 0 && c.Steps[0].Node != "" && c.Steps[0].Node != c.Pinned {
		client = f.Translate("%s of %s", client, CleanName(c.Pinned))
	}
	return client
}

// sessionAnswers states whether sessions stick and are shared, as far as the policy
// demands it.
func (f formatter) sessionAnswers(s checks.SessionReport) []span {
	var all []span
	switch s.Policy {
	case "", probes.PolicyNone:
	case probes.PolicyShared: // sessions need not stick
		all = append(all, toned(toneOf(s.Shared), f.Translate("shared: %s", f.answer(s.Shared))+f.evidenceBasis(s)))
		if known(s.Sticky) {
			all = append(all, toned(note, f.Translate("sticky: %s", f.answer(s.Sticky))+f.confidenceText(s)+" "+f.Translate("(the policy does not demand it)")))
		}
	default:
		all = append(all, toned(toneOf(s.Sticky), f.Translate("sticky: %s", f.answer(s.Sticky))+f.confidenceText(s)+f.evidenceBasis(s)+f.notStickyReason(s)))
		if s.Policy == probes.PolicyReplicated {
			all = append(all, toned(toneOf(s.Shared), f.Translate("replicated: %s", f.answer(s.Shared))))
		}
	}
	return all
}

func known(a checks.Tristate) bool { return a == checks.Yes || a == checks.No }

func answer(a checks.Tristate) string { return string(cmp.Or(a, checks.Unknown)) }

func (f formatter) answer(a checks.Tristate) string { return f.Translate(answer(a)) }

// confidenceText returns the confidence, rounded down: it never reaches 100 %.
func (f formatter) confidenceText(s checks.SessionReport) string {
	switch percent := math.Floor(s.Confidence*1e4+1e-6) / 100; {
	case s.Confidence <= 0:
		return ""
	case percent > 99.99:
		return f.Translate(", ") + f.Translate("over %s sure", "99.99 %")
	default:
		return f.Translate(", ") + f.Translate("%s sure", strconv.FormatFloat(percent, 'f', -1, 64)+" %")
	}
}

// evidenceBasis returns the size of the sample.
func (f formatter) evidenceBasis(s checks.SessionReport) string {
	switch {
	case len(s.Canaries) > 0:
		return " " + f.Translate("(%s, %s)", f.Count(len(s.Canaries), "canary", "canaries"), f.followUps(s.Canaries))
	case s.NewClients > 0:
		return " " + f.Translate("(%s)", f.Count(s.NewClients, "new client", "new clients"))
	default:
		return ""
	}
}

func (f formatter) followUps(canaries []checks.CanaryTrace) string {
	least, most := math.MaxInt, 0
	for _, c := range canaries {
		n := 0
		for _, s := range c.Steps {
			if s.Kind == probes.StepFollow || s.Kind == probes.StepReturn {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
	}
	text := f.Count(most, "follow-up", "follow-ups")
	if least < most {
		text = f.Translate("%d-%d follow-ups", least, most)
	}
	if len(canaries) > 1 {
		return f.Translate("%s each", text)
	}
	return text
}

// notStickyReason returns the reason for an answer other than yes.
func (f formatter) notStickyReason(s checks.SessionReport) string {
	if s.Sticky == checks.Yes || s.Reason.IsZero() {
		return ""
	}
	return f.Translate("; ") + f.message(s.Reason)
}
