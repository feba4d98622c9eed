package users

import (
	"slices"
	"sync"
	"time"
)

// A Request is one request of a user. It holds no session id.
type Request struct {
	User    int // from 1
	At      time.Time
	Took    time.Duration
	New     bool   // the user held no session
	Write   bool   // it was to store a value
	Owner   string // the node that served the session last; "": none
	Node    string // that answered; "": not told
	Status  int    // of HTTP; 0: no answer
	Outcome Outcome
	Detail  string // why, where the outcome is not plain
}

// A Log is every request of a crowd, in the order in which they ended.
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

// Requests is a copy of the log, in the order in which requests were sent.
func (l *Log) Requests() []Request {
	l.mu.Lock()
	list := slices.Clone(l.requests)
	l.mu.Unlock()
	slices.SortStableFunc(list, func(a, b Request) int { return a.At.Compare(b.At) })
	return list
}

// Totals counts requests by outcome.
type Totals map[Outcome]int

// All is the number of requests.
func (t Totals) All() (n int) {
	for _, count := range t {
		n += count
	}
	return n
}

// Harmed is the number of requests that harmed their user.
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

// ByNode counts requests by outcome for each owner of a session; "" has those of
// users who held none.
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

// Between is the requests that were sent from from on and before to.
func (l *Log) Between(from, to time.Time) []Request {
	return slices.DeleteFunc(l.Requests(), func(r Request) bool { return r.At.Before(from) || !r.At.Before(to) })
}
