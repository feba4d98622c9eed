package users

import (
	"slices"
	"time"
)

// A Harm is a period in which requests of users had harmful outcomes.
type Harm struct {
	From, To time.Time // start of the first harmful request, end of the last one
	Users    []int     // users harmed, sorted
	Owners   []string  // nodes that had served their sessions, sorted; "": no session
	Nodes    []string  // nodes that answered the harmful requests, sorted; "": no answer or not shown
	Outcomes Totals    // harmful outcomes only
	Requests []Request // harmful requests, in the order in which they were sent
}

// Harms returns the periods of harm. Two harmful requests belong to one period when the
// second was sent at most gap after the first ended.
func (l *Log) Harms(gap time.Duration) []Harm {
	var list []Harm
	for _, r := range l.Requests() {
		if !r.Outcome.Harmful() {
			continue
		}
		if len(list) == 0 || r.At.Sub(list[len(list)-1].To) > gap {
			list = append(list, Harm{From: r.At, Outcomes: make(Totals)})
		}
		list[len(list)-1].add(r)
	}
	return list
}

func (h *Harm) add(r Request) {
	if end := r.At.Add(r.Took); end.After(h.To) {
		h.To = end
	}
	h.Users = insertSorted(h.Users, r.User)
	h.Owners = insertSorted(h.Owners, r.Owner)
	h.Nodes = insertSorted(h.Nodes, r.Node)
	h.Outcomes[r.Outcome]++
	h.Requests = append(h.Requests, r)
}

// insertSorted inserts v into a sorted list without duplicates.
func insertSorted[T int | string](list []T, v T) []T {
	if at, found := slices.BinarySearch(list, v); !found {
		return slices.Insert(list, at, v)
	}
	return list
}

// An Outage is a series of consecutive requests of one user that all ended in errors.
type Outage struct {
	User     int
	From, To time.Time // start of the first request, end of the last one
	Requests int
}

// Duration is the minimum time for which the user got no answer.
func (o Outage) Duration() time.Duration { return o.To.Sub(o.From) }

// LongestOutage returns the longest Outage of any user; the zero value if no request
// failed.
func (l *Log) LongestOutage() (longest Outage) {
	open := make(map[int]*Outage)
	for _, r := range l.Requests() {
		if r.Outcome != Error {
			delete(open, r.User)
			continue
		}
		o := open[r.User]
		if o == nil {
			o = &Outage{User: r.User, From: r.At}
			open[r.User] = o
		}
		o.To, o.Requests = r.At.Add(r.Took), o.Requests+1
		if o.Duration() > longest.Duration() || longest.Requests == 0 {
			longest = *o
		}
	}
	return longest
}
