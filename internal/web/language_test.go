package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestSpeak: the page is in another language and tells the time of another place
// as soon as it is told, to who does not ask for a language.
func TestSpeak(t *testing.T) {
	t.Parallel()
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	page := func() string {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		return answer.Body.String()
	}
	for _, tt := range []struct {
		language string
		zone     *time.Location
		want     []string
	}{
		{"", time.UTC, []string{`lang="en"`, "UTC"}},
		{"zh", time.FixedZone("CST", 8*60*60), []string{`lang="zh`, "CST"}},
		{"en", time.UTC, []string{`lang="en"`, "UTC"}},
	} {
		s.SetLocale(tt.language, tt.zone)
		for _, want := range tt.want {
			if got := page(); !strings.Contains(got, want) {
				t.Errorf("%q in %s: no %s in\n%s", tt.language, tt.zone, want, got)
			}
		}
	}
}
