package lab

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"stickwatch/internal/demo"
)

// wrapNodes serves nodes through a middleware and returns the new addresses. A wrapped
// node has all faults of its node except being stopped.
func wrapNodes(tb testing.TB, nodes []*demo.Node, middleware func(*demo.Node) http.Handler) map[*demo.Node]string {
	tb.Helper()
	addrs := make(map[*demo.Node]string)
	for _, n := range nodes {
		addrs[n] = serve(tb, middleware(n)).Host
	}
	return addrs
}

// serve serves h on loopback until the test ends.
func serve(tb testing.TB, h http.Handler) *url.URL {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return parse(tb, s.URL)
}
