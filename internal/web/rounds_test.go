package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A slowExporter's rounds take until they are let go, or their time is over.
type slowExporter struct {
	mu    sync.Mutex
	taken int
	began chan struct{} // nil: nobody wants to know
	let   chan struct{}
}

func (e *slowExporter) Export(ctx context.Context, _ string) (http.Handler, error) {
	e.mu.Lock()
	e.taken++
	e.mu.Unlock()
	if e.began != nil {
		e.began <- struct{}{}
	}
	select {
	case <-e.let:
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestRoundsAreShared: by exporters, the API and the page, up to a bound; who
// comes later gets another.
func TestRoundsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{let: make(chan struct{})}
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Exporter = e })
		ways := []struct {
			method, path string
			want         int
		}{
			{"GET", "/probe?cluster=shop", http.StatusOK},
			{"POST", "/api/v1/clusters/shop/probe", http.StatusOK},
			{"POST", "/clusters/shop/probe", http.StatusSeeOther},
		}
		var waiting sync.WaitGroup
		for i := range maxWaiting {
			way := ways[i%len(ways)]
			waiting.Go(func() {
				if got := send(s, way.method, way.path, ""); got.Code != way.want {
					t.Errorf("%s %s: got %d %s", way.method, way.path, got.Code, got.Body)
				}
			})
		}
		synctest.Wait()
		for _, way := range ways {
			if got := send(s, way.method, way.path, ""); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
				t.Errorf("%s %s: got %d with %v when enough wait", way.method, way.path, got.Code, got.Header())
			}
		}
		e.let <- struct{}{}
		waiting.Wait()
		waiting.Go(func() { send(s, "GET", "/probe?cluster=shop", "") })
		e.let <- struct{}{}
		waiting.Wait()
		if e.taken != 2 {
			t.Errorf("got %d rounds, want one for all and one for who came later", e.taken)
		}
	})
}

// TestRoundsOutliveThoseWhoWait, so that coming and going takes no second one.
func TestRoundsOutliveThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{let: make(chan struct{})}
		r := newRounds(e.Export)
		for range 3 * maxWaiting {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			if _, err := r.wait(ctx, "shop"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v of who left", err)
			}
			leave()
		}
		if _, err := r.wait(t.Context(), "shop"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v of a round without end", err)
		}
		if e.taken != 1 {
			t.Errorf("got %d rounds, want 1", e.taken)
		}
	})
}

// TestRoundsEnd: nobody waits after the end, and nobody begins.
func TestRoundsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &slowExporter{}
		s := newFakeDaemon(healthyCluster("shop", 2)).server(t, func(c *Config) { c.Exporter = e })
		var got *httptest.ResponseRecorder
		var waiting sync.WaitGroup
		waiting.Go(func() { got = send(s, "GET", "/probe?cluster=shop", "") })
		synctest.Wait()
		s.rounds.close()
		waiting.Wait()
		again := send(s, "GET", "/probe?cluster=shop", "")
		if got.Code != http.StatusServiceUnavailable || again.Code != http.StatusServiceUnavailable || e.taken != 1 {
			t.Errorf("got %d, then %d, after %d rounds", got.Code, again.Code, e.taken)
		}
	})
}
