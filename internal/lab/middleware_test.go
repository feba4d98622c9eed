package lab

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"stickwatch/internal/demo"
)

// wrapNodes puts skin around nodes and returns where they listen then. A skin takes
// every fault of its node but its being stopped.
func wrapNodes(tb testing.TB, nodes []*demo.Node, middleware func(*demo.Node) http.Handler) map[*demo.Node]string {
	tb.Helper()
	addrs := make(map[*demo.Node]string)
	for _, n := range nodes {
		addrs[n] = serve(tb, middleware(n)).Host
	}
	return addrs
}

// serve has h listen on loopback until the test is over.
func serve(tb testing.TB, h http.Handler) *url.URL {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return parse(tb, s.URL)
}
