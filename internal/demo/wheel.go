package demo

// A wheel is nginx's smooth weighted round robin. It is not safe for
// concurrent use.
type wheel []spoke

type spoke struct {
	weight    int
	effective int // sinks with failures, and recovers by one a turn
	current   int
}

func newWheel(weights []int) wheel {
	w := make(wheel, len(weights))
	for i, weight := range weights {
		w[i] = spoke{weight: weight, effective: weight}
	}
	return w
}

// next returns the server whose turn it is among those that may be chosen.
func (w wheel) next(may func(int) bool) (best int, ok bool) {
	total := 0
	for i := range w {
		if !may(i) {
			continue
		}
		s := &w[i]
		s.current += s.effective
		total += s.effective
		s.effective = min(s.effective+1, s.weight)
		if !ok || s.current > w[best].current {
			best, ok = i, true
		}
	}
	if ok {
		w[best].current -= total
	}
	return best, ok
}

// failed lets server i weigh less for a while.
func (w wheel) failed(i, maxFails int) {
	if s := &w[i]; maxFails > 0 {
		s.effective = max(s.effective-s.weight/maxFails, 0)
	}
}
