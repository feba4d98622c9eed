package web

import (
	"strings"
	"testing"
)

// TestSilenceOfView: incidents are those of a cluster, so that a silence or a deployment of what one of its
// sites sees is refused, and the page of that offers to silence the cluster.
func TestSilenceOfView(t *testing.T) {
	view := healthyCluster("shop", 2)
	view.Cluster = view.Cluster.From("x")
	s := newFakeDaemon(view).server(t)
	const want = `"cluster" is what one site sees of "shop": name that cluster`
	for path, body := range map[string]string{
		"/api/v1/silences":    `{"cluster": "shop@x", "duration": "2h"}`,
		"/api/v1/deployments": `{"cluster": "shop@x", "name": "4.2"}`,
	} {
		w := send(s, "POST", path, body)
		if got := decoded[problem](t, w).Detail; w.Code != 400 || got != want {
			t.Errorf("got %d %q of %s, want %q", w.Code, got, path, want)
		}
	}
	if page := send(s, "GET", "/clusters/shop@x", "").Body.String(); !strings.Contains(page, `name="cluster" value="shop"`) {
		t.Error("the page of a view does not offer to silence its cluster")
	}
}
