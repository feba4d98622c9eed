package sim

import (
	"slices"
	"time"
)

// shrink removes operations from a schedule while it still yields a counterexample of
// the kind. A run that does not yield it counts as one that cannot, so the result is
// small but not always the smallest.
func shrink(s Schedule, kind string, run func(Schedule) Result) Schedule {
	yields := func(operations []Operation) bool {
		candidate := s
		candidate.Operations = operations
		return slices.ContainsFunc(run(candidate).Score().Counterexamples, func(c Counterexample) bool { return c.Kind() == kind })
	}
	s.Operations = reduce(s.Operations, yields)
	return s.moveEarlier(yields)
}

// reduce removes ever smaller parts of a list while the rest still yields (delta
// debugging).
func reduce(list []Operation, yields func([]Operation) bool) []Operation {
	for parts := 2; len(list) > 1; {
		size := (len(list) + parts - 1) / parts
		smaller := false
		for from := 0; from < len(list) && !smaller; from += size {
			part := list[from:min(from+size, len(list))]
			rest := slices.Concat(list[:from], list[min(from+size, len(list)):])
			switch {
			case parts == 2 && yields(part):
				list, smaller = part, true
			case len(rest) > 0 && parts > 2 && yields(rest):
				list, smaller = rest, true
			}
		}
		switch {
		case smaller:
			parts = max(2, parts-1)
		case parts >= len(list):
			return list
		default:
			parts = min(len(list), 2*parts)
		}
	}
	return list
}

// moveEarlier moves the operations to the beginning and cuts the time after them, if
// the result still yields.
func (s Schedule) moveEarlier(yields func([]Operation) bool) Schedule {
	if len(s.Operations) == 0 {
		return s
	}
	moved := slices.Clone(s.Operations)
	by := moved[0].At - warmUp
	for i := range moved {
		moved[i].At -= by
	}
	if by > 0 && yields(moved) {
		s.Operations = moved
	}
	end := time.Duration(0)
	for _, o := range s.Operations {
		end = max(end, o.end(s.Setup))
	}
	s.Length = min(s.Length, (end + settleTime).Round(time.Second))
	return s
}
