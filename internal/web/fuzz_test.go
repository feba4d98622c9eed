package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stickwatch/internal/docs/openapitest"
	"stickwatch/probes"
)

// FuzzRequests sends bodies to the API that changes things. No body may break it, make an
// answer other than the OpenAPI document says, or leave a silence or a deployment that is
// longer than allowed or cannot be shown in one line.
func FuzzRequests(f *testing.F) {
	for _, body := range []string{
		`{"cluster": "shop", "node": "node1", "duration": "2h", "reason": "work"}`,
		`{"all": true, "from": "2026-03-14T12:00:00Z", "to": "2026-03-15T12:00:00+08:00", "author": "\u202eops\n"}`,
		`{"code": "node_down", "duration": "90d"}`, `{"code": "node_down", "duration": "9999999d"}`,
		`{"code": "slow", "from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}`,
		`{"cluster": "shop", "name": "4.2\u0000", "nodes": ["node1", "node2"]}`,
		`{"cluster": "shop", "name": "x", "nodes": [""]}`, `{"sessions_moved": 1, "longest_outage_ms": 9223372036854775807}`,
		`{"cluster": "shop", "name": "\u0001\n"}`, `{"code": "slow", "duration": "1h", "reason": "\u0001", "author": "\t"}`, `[]`, `null`, `{"cluster": "shop"} {}`, "\xff", strings.Repeat(`{"a":`, 10000),
	} {
		f.Add(body)
	}
	daemon := newFakeDaemon(healthyCluster("shop", 3))
	s := daemon.unchecked(f) // once: parsing its templates takes ten times as long as answering
	f.Fuzz(func(t *testing.T, body string) {
		daemon.silences, daemon.began = nil, nil
		handler := openapitest.Handler(t, s.handler)
		for _, path := range []string{"/api/v1/silences", "/api/v1/deployments", "/api/v1/deployments/1/end"} {
			r := httptest.NewRequestWithContext(asAdmin(t.Context()), http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%s answered %d: %s", path, w.Code, w.Body)
			}
		}
		for _, silence := range daemon.silences {
			if d := silence.To.Sub(silence.From); d <= 0 || d > maxSilence || !silence.To.After(testTime) || silence.From.After(testTime.Add(maxSilenceLead)) {
				t.Errorf("a silence from %s to %s", silence.From, silence.To)
			}
			wantClean(t, silence.Reason, maxReason)
			wantClean(t, silence.Author, maxWord)
		}
		for _, deployment := range daemon.began {
			if deployment.Name == "" {
				t.Error("a deployment without a name")
			}
			wantClean(t, deployment.Name, probes.MaxError)
		}
	})
}

func wantClean(t *testing.T, text string, most int) {
	t.Helper()
	if got := probes.Clean(text, most); got != text {
		t.Errorf("stored %q, want %q", text, got)
	}
}
