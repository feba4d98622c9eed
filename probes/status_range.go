package probes

import "fmt"

// A StatusRange is the HTTP statuses a page may answer with, both ends included.
type StatusRange struct{ From, To int }

// Has reports whether status is in the range.
func (r StatusRange) Has(status int) bool { return r.From <= status && status <= r.To }

// String is the range as a configuration writes it.
func (r StatusRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}
