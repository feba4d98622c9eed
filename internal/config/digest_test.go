package config

import (
	"strings"
	"testing"
)

// TestSameCluster checks that a cluster's values count, including inherited ones, but
// not their notation.
func TestSameCluster(t *testing.T) {
	const file = `
clusters:
  - name: shop
    balancer: {url: "http://127.0.0.1:1"}
    nodes: [{id: a, url: "http://127.0.0.1:2"}]
  - name: portal
    balancer: {url: "http://127.0.0.1:3"}
    nodes: [{id: a, url: "http://127.0.0.1:4"}]
`
	old := mustParse(t, file)
	for _, tc := range []struct {
		name, from, to string
		shop, portal   bool
	}{
		{"nothing", "", "", true, true},
		{"a comment, and quotes", "{id: a, url", "{'id': \"a\", url", true, true},
		{"a node's address", "127.0.0.1:2", "127.0.0.1:20", false, true},
		{"an interval of all", "\nclusters:", "\nintervals: {status: 30s}\nclusters:", false, false},
		{"an address to listen on", "\nclusters:", "\nlisten: 127.0.0.1:1\nclusters:", true, true},
		{"another cluster's name", "name: portal", "name: door", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := mustParse(t, strings.Replace(file, tc.from, tc.to, 1))
			if got := now.SameCluster("shop", old); got != tc.shop {
				t.Errorf("shop: got %t, want %t", got, tc.shop)
			}
			if got := now.SameCluster("portal", old); got != tc.portal {
				t.Errorf("portal: got %t, want %t", got, tc.portal)
			}
		})
	}
}

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("stickwatch.yml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}
