package demo

// A roundRobin implements nginx's smooth weighted round robin. It is not safe for
// concurrent use.
type roundRobin []weightedServer

type weightedServer struct {
	weight    int
	effective int // decreases with failures, and recovers by one per turn
	current   int
}

func newRoundRobin(weights []int) roundRobin {
	w := make(roundRobin, len(weights))
	for i, weight := range weights {
		w[i] = weightedServer{weight: weight, effective: weight}
	}
	return w
}

// next returns the next server among those that may be chosen.
func (w roundRobin) next(may func(int) bool) (best int, ok bool) {
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

// countTurn counts a turn of server i that was chosen by other means.
func (w roundRobin) countTurn(i int, may func(int) bool) {
	for j := range w {
		if may(j) {
			w[j].current += w[j].effective
			w[i].current -= w[j].effective
		}
	}
}

// failed decreases the effective weight of server i.
func (w roundRobin) failed(i, maxFails int) {
	if s := &w[i]; maxFails > 0 {
		s.effective = max(s.effective-s.weight/maxFails, 0)
	}
}

// leastConn returns the server with the fewest requests in flight for its weight. Round
// robin decides between equal ones, as in nginx's least_conn.
func (w roundRobin) leastConn(conns []int, may func(int) bool) (int, bool) {
	best := -1
	for i := range w {
		if may(i) && (best < 0 || conns[i]*w[best].weight < conns[best]*w[i].weight) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	return w.next(func(i int) bool { return may(i) && conns[i]*w[best].weight == conns[best]*w[i].weight })
}
