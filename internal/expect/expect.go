// Package expect compares values in tests.
package expect

import "github.com/google/go-cmp/cmp"

// A test is a testing.TB or a *rapid.T.
type test interface {
	Helper()
	Errorf(format string, args ...any)
}

// Equal fails the test, which goes on, if a value differs from the expected one. It prints the difference
// after what the value is.
func Equal(t test, what, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%v (-want +got):\n%s", what, diff)
	}
}
