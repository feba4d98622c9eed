// Package must ends a test when a step fails that is not what it tests.
package must

// A test is a testing.TB or a *rapid.T.
type test interface {
	Helper()
	Fatal(args ...any)
}

// Succeed ends the test if err is not nil.
func Succeed(t test, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
