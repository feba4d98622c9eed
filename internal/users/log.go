package users

import (
	"slices"
	"sync"
	"time"
)

// A Request is one request of a user with its outcome. It contains no session id.
type Request struct {
	User    int // number of the user, from 1
	At      time.Time
	Took    time.Duration
	New     bool   // the user held no session
	Write   bool   // the request stored a value
	Owner   string // node that served the session last; "": none
	Node    string // node that answered; "": not shown
	Status  int    // HTTP status; 0: no answer
	Outcome Outcome
	Detail  string // explanation, where the outcome is not self-evident
}

// A Log collects the requests of a population in the order in which they end.
type Log struct {
	mu       sync.Mutex
	requests []Request
}

// NewLog returns a log of the given requests.
func NewLog(requests ...Request) *Log { return &Log{requests: requests} }

func (l *Log) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
}

// Requests returns a copy of the log, sorted by the time of sending.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	list := slices.Clone(l.requests)
	l.mu.Unlock()
	slices.SortStableFunc(list, func(a, b Request) int { return a.At.Compare(b.At) })
	return list
}

// Totals is the number of requests by outcome.
type Totals map[Outcome]int

// All returns the number of requests.
func (t Totals) All() (n int) {
	for _, count := range t {
		n += count
	}
	return n
}

// Harmed returns the number of requests with a harmful outcome.
func (t Totals) Harmed() (n int) {
	for o, count := range t {
		if o.Harmful() {
			n += count
		}
	}
	return n
}

// Totals counts all requests.
func (l *Log) Totals() Totals { return count(l.Requests()) }

// ByNode counts requests by outcome for each owner of a session. The key "" is for
// users without a session.
func (l *Log) ByNode() map[string]Totals {
	nodes := make(map[string]Totals)
	for _, r := range l.Requests() {
		if nodes[r.Owner] == nil {
			nodes[r.Owner] = make(Totals)
		}
		nodes[r.Owner][r.Outcome]++
	}
	return nodes
}

func count(requests []Request) Totals {
	t := make(Totals)
	for _, r := range requests {
		t[r.Outcome]++
	}
	return t
}

// Between returns the requests that were sent in the half-open interval [from, to).
func (l *Log) Between(from, to time.Time) []Request {
	return slices.DeleteFunc(l.Requests(), func(r Request) bool { return r.At.Before(from) || !r.At.Before(to) })
}

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
