package users

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHarms(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000, 0).Add(time.Duration(s) * time.Second) }
	l := NewLog()
	for _, r := range []Request{
		{User: 2, At: at(12), Owner: "node2", Outcome: Error, Took: time.Second}, // ended before a request that was sent earlier
		{User: 1, At: at(10), Owner: "node1", Outcome: Error, Took: 4 * time.Second},
		{User: 1, At: at(15), Owner: "node1", Node: "node2", Outcome: Moved},
		{User: 2, At: at(16), Owner: "node2", Outcome: Error, Took: time.Second},
		{User: 2, At: at(18), Owner: "node2", Node: "node3", Outcome: Lost},
		{User: 3, At: at(60), Outcome: WrongPage},
		{User: 3, At: at(61), Outcome: Served},
	} {
		l.add(r)
	}
	type harm struct {
		From, To time.Time
		Users    []int
		Owners   []string
		Outcomes Totals
	}
	var got []harm
	for _, h := range l.Harms(5 * time.Second) {
		got = append(got, harm{h.From, h.To, h.Users, h.Owners, h.Outcomes})
	}
	want := []harm{
		{at(10), at(18), []int{1, 2}, []string{"node1", "node2"}, Totals{Error: 3, Lost: 1}},
		{at(60), at(60), []int{3}, []string{""}, Totals{WrongPage: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("harms (-want +got):\n%s", diff)
	}
	if got, want := l.LongestOutage(), (Outage{User: 2, From: at(12), To: at(17), Requests: 2}); got != want {
		t.Errorf("longest outage %+v, want %+v", got, want)
	}
	if got := len(l.Between(at(12), at(16))); got != 2 {
		t.Errorf("got %d requests between, want 2", got)
	}
}
