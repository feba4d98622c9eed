package probes

import "time"

// A ClockOffset is an interval that holds the difference between the node's
// clock and ours, in (Min, Max). Samples is 0 when nothing is known.
type ClockOffset struct {
	Min, Max time.Duration
	Samples  int
}

// Intersect narrows o by another sample of the same clock. Samples that contradict
// each other mean that the clock was stepped, or that two machines answered:
// then nothing is known.
func (o ClockOffset) Intersect(other ClockOffset) ClockOffset {
	switch {
	case o.Samples == 0:
		return other
	case other.Samples == 0:
		return o
	}
	met := ClockOffset{Min: max(o.Min, other.Min), Max: min(o.Max, other.Max), Samples: o.Samples + other.Samples}
	if met.Min >= met.Max {
		return ClockOffset{}
	}
	return met
}

// clockOf is what exchanges with one node tell together of its clock.
func clockOf(exchanges []Exchange) ClockOffset {
	var all ClockOffset
	seen := make(map[time.Time]bool) // one exchange may stand for two questions
	for _, ex := range exchanges {
		if ex.Clock.Samples == 0 || seen[ex.At] {
			continue
		}
		seen[ex.At] = true
		met := all.Intersect(ex.Clock)
		if met.Samples == 0 {
			return met // not to be forgotten for the next sample
		}
		all = met
	}
	return all
}
