package checks

import "cmp"

// Estimated reports whether it is known how many clients are concerned: none of
// many observed ones is an estimate too.
func (a Affected) Estimated() bool { return a.Share > 0 || a.Of > 0 }

// Worse returns the larger of two estimates; of equal shares the one from more
// clients. One that is not estimated is the smallest.
func (a Affected) Worse(b Affected) Affected {
	if cmp.Or(cmp.Compare(a.Share, b.Share), cmp.Compare(a.Of, b.Of)) < 0 {
		return b
	}
	return a
}
