package users

import (
	"slices"
	"time"
)

// A Harm is a time in which users were harmed.
type Harm struct {
	From, To time.Time // the first harmful request was sent, the last one ended
	Users    []int     // who were harmed, in order
	Owners   []string  // the nodes that had served their sessions, sorted; "" is none
	Nodes    []string  // the nodes that answered them, sorted; "" is none
	Outcomes Totals    // harmful ones only
	Requests []Request // the harmful requests, in the order in which they were sent
}

// Harms returns when users were harmed, who and by what. Two harmful requests
// belong together when the second was sent at most gap after the first ended.
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

// insertSorted adds v to a sorted list that has no value twice.
func insertSorted[T int | string](list []T, v T) []T {
	if at, found := slices.BinarySearch(list, v); !found {
		return slices.Insert(list, at, v)
	}
	return list
}

// An Outage is a stretch of requests of one user that all ended in errors.
type Outage struct {
	User     int
	From, To time.Time // the first was sent, the last one ended
	Requests int
}

// Duration is how long the user was without an answer, at least.
func (o Outage) Duration() time.Duration { return o.To.Sub(o.From) }

// LongestOutage is the longest stretch of errors that one user met; zero when
// there was no error.
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
