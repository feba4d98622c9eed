// Package expect compares values in tests.
package expect

import (
	"flag"
	"os"

	"github.com/google/go-cmp/cmp"
)

// Update is the flag with which tests write the files anew that they compare with.
var Update = flag.Bool("update", false, "write the files anew that tests compare with")

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

// Golden fails the test, which goes on, if a text differs from that of a file. With -update it writes the file.
func Golden(t test, path, got string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Errorf("%v", err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	Equal(t, path+", which -update writes anew", string(want), got)
}
