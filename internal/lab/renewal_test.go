package lab

import (
	"bytes"
	"crypto/rand"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// renewsIDs returns a node that gives a session another id with each answer and ends the one
// before, as applications do against stolen ids. Of two requests at once, the later one finds no
// session.
func renewsIDs(n *demo.Node) http.Handler {
	var mu sync.Mutex
	nodeIDs := make(map[string]string) // the node's id by that of the client
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := ""
		if cookie, err := r.Cookie(jsessionid); err == nil {
			id = nodeIDs[cookie.Value]
			delete(nodeIDs, cookie.Value)
		}
		r.Header.Set("Cookie", jsessionid+"="+id)
		answer := httptest.NewRecorder()
		n.ServeHTTP(answer, r)
		for _, cookie := range answer.Result().Cookies() {
			id = cookie.Value
		}
		renewed := rand.Text() + "." + n.ID()
		nodeIDs[renewed] = id
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.Header().Set("Set-Cookie", jsessionid+"="+renewed+"; Path=/")
		w.WriteHeader(answer.Code)
		w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte(id), []byte(renewed)))
	})
}

// TestRenewedIDs: no session is lost where ids are renewed with each answer, and the requests
// that stickwatch sends at once do not look like a restart.
func TestRenewedIDs(t *testing.T) {
	for _, name := range []string{"haproxy cookie", "nginx ip_hash"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, fronts[slices.IndexFunc(fronts, named(name))], plan{profile: "tomcat", policy: probes.PolicySticky, middleware: renewsIDs})
			judgeScenario(t, scenario{is: checks.Healthy}, r.probe())
		})
	}
}
