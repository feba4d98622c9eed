package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// manyClusters is 20 clusters of 10 nodes, some of which are in trouble.
func manyClusters() *fakeDaemon {
	var fakeClusters []*fakeCluster
	for i := range 20 {
		name := fmt.Sprintf("cluster-%02d", i+1)
		switch {
		case i%10 == 3:
			fakeClusters = append(fakeClusters, nodeDown(name, 10))
		default:
			fakeClusters = append(fakeClusters, healthyCluster(name, 10))
		}
	}
	return newFakeDaemon(fakeClusters...)
}

// allFailing is the same with trouble in every cluster.
func allFailing() *fakeDaemon {
	var fakeClusters []*fakeCluster
	for i := range 20 {
		fakeClusters = append(fakeClusters, nodeDown(fmt.Sprintf("cluster-%02d", i+1), 10))
	}
	return newFakeDaemon(fakeClusters...)
}

// transferSize is how many bytes a browser gets that has never been here, without
// compression: the page, its stylesheet, its script and its icon.
func transferSize(t *testing.T, s *Server, path string) int {
	t.Helper()
	page := getPage(s, path)
	if page.Code != http.StatusOK {
		t.Fatalf("%s: got status %d", path, page.Code)
	}
	total := page.Body.Len()
	for _, file := range []string{"style.css", "page.js", "icon-bd.svg"} {
		content, err := fs.ReadFile(staticFiles, "static/"+file)
		if err != nil {
			t.Fatal(err)
		}
		total += len(content)
	}
	return total
}

// getPage asks for a path as a browser at the machine itself does.
func getPage(s *Server, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r = r.WithContext(asAdmin(r.Context())) // who may do everything sees everything
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestPagesAreLight: 100 KB in all, whatever happens, without compression.
func TestPagesAreLight(t *testing.T) {
	unprobed := manyClusters()
	unprobed.born = testTime.Add(-time.Hour)
	for name, w := range map[string]*fakeDaemon{"as a rule": manyClusters(), "in a disaster": allFailing(), "an hour after its start": unprobed} {
		s := w.server(t)
		for _, path := range []string{"/", "/?lang=zh", "/clusters/cluster-04"} {
			const most = 100_000
			if got := transferSize(t, s, path); got > most {
				t.Errorf("%s, %s weighs %d bytes, want %d at most", path, name, got, most)
			} else {
				t.Logf("%s, %s: %d bytes", path, name, got)
			}
		}
	}
}

// BenchmarkOverview renders 20 clusters of 10 nodes from what is remembered, as
// all but one in ten seconds of those who look get it.
func BenchmarkOverview(b *testing.B) {
	benchmarkPage(b, "/", time.Hour)
}

// BenchmarkOverviewForgetful reads the (made-up) past every time.
func BenchmarkOverviewForgetful(b *testing.B) {
	benchmarkPage(b, "/", time.Nanosecond)
}

// BenchmarkCluster renders everything about one of ten nodes.
func BenchmarkCluster(b *testing.B) {
	benchmarkPage(b, "/clusters/cluster-04", time.Hour)
}

func benchmarkPage(b *testing.B, path string, cacheFor time.Duration) {
	s := manyClusters().server(b, func(c *Config) { c.CacheFor = cacheFor })
	for b.Loop() {
		if w := getPage(s, path); w.Code != http.StatusOK {
			b.Fatalf("got status %d", w.Code)
		}
	}
}
