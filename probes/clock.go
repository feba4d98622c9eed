package probes

// Meet narrows o by another sample of the same clock. Samples that contradict
// each other mean that the clock was stepped, or that two machines answered:
// then nothing is known.
func (o ClockOffset) Meet(other ClockOffset) ClockOffset {
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
