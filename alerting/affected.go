package alerting

import (
	"fmt"
	"math"
	"slices"

	"stickwatch/checks"
)

// Affected estimates the share of clients that the incident affects: the worst
// estimate of its active findings, or of all findings if none is active. It is zero
// if no finding has an estimate.
func (i *Incident) Affected() checks.Affected {
	var active, all checks.Affected
	for _, m := range i.Findings {
		all = all.Worse(m.Affected)
		if m.Active() {
			active = active.Worse(m.Affected)
		}
	}
	if slices.ContainsFunc(i.Findings, Member.Active) {
		return active
	}
	return all
}

// affectedWords has the phrases of one language. %[1]d and %[2]d are a fraction;
// observed has the number of observed clients.
type affectedWords struct{ none, some, all, observed string }

var (
	affectedInEnglish = affectedWords{"none of %d observed clients", "about %[1]d of %[2]d clients", "all clients", " (%d observed)"}
	affectedInChinese = affectedWords{"所观察的 %d 个客户端均未受影响", "约 %[1]d/%[2]d 的客户端", "全部客户端", "（观察了 %d 个）"}
)

// Affected formats an estimate, such as "about 1 of 3 clients (25 observed)". It
// returns "" if there is none.
func (l Language) Affected(a checks.Affected) string {
	words := affectedInEnglish
	if l == Chinese {
		words = affectedInChinese
	}
	switch {
	case !a.Estimated():
		return ""
	case !(a.Share > 0): // or NaN
		return fmt.Sprintf(words.none, a.Of)
	case a.Share >= 1:
		return words.all + words.sample(a.Of, 0)
	}
	part, whole := simpleFraction(a.Share)
	return fmt.Sprintf(words.some, part, whole) + words.sample(a.Of, whole)
}

// sample formats the number of observed clients, unless the fraction has it already.
func (w affectedWords) sample(observed, whole int) string {
	if observed <= 0 || observed == whole {
		return ""
	}
	return fmt.Sprintf(w.observed, observed)
}

// simpleFraction returns the simplest fraction within 0.03 of a share between 0 and
// 1. It never rounds to 0 or 1.
func simpleFraction(share float64) (part, whole int) {
	const near, simple, finest = 0.03, 10, 1000
	for whole = 2; whole <= simple; whole++ {
		part = int(math.Round(share * float64(whole)))
		if part > 0 && part < whole && math.Abs(float64(part)/float64(whole)-share) <= near {
			return part, whole
		}
	}
	rest := min(share, 1-share) // the share is near 0 or 1
	whole = int(min(math.Round(1/rest), finest))
	if share < 0.5 {
		return 1, whole
	}
	return whole - 1, whole
}
