// Package must ends a test when a step fails that is not what it tests.
package must

import "net/url"

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

// URL returns a URL of which a test knows that it is valid.
func URL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
