package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// maxWaiting bounds the requests that wait for a round of one cluster.
const maxWaiting = 16

// rounds shares the running round of each cluster between all requests for one. More requests
// do not cause more probes; this matters because anybody with read access can call GET /probe.
// A round continues after its clients have left, so that there is never a second one at the
// same time.
type rounds struct {
	take   func(ctx context.Context, cluster string) (http.Handler, error)
	ending context.Context // canceled by close, which cancels the running rounds
	close  context.CancelFunc

	mu    sync.Mutex
	taken map[string]*round // running rounds by cluster
}

// A round is a running or finished round.
type round struct {
	done    chan struct{} // closed at the end, after metrics and err are set
	metrics http.Handler
	err     error

	waiting int // guarded by rounds.mu
}

// newRounds returns rounds that use take, which returns a handler for the metrics of its
// round.
func newRounds(take func(context.Context, string) (http.Handler, error)) *rounds {
	r := &rounds{take: take, taken: map[string]*round{}}
	r.ending, r.close = context.WithCancel(context.Background())
	return r
}

// wait waits for a round of a cluster, until ctx or rounds end.
func (r *rounds) wait(ctx context.Context, cluster string) (http.Handler, error) {
	running, err := r.join(cluster)
	if err != nil {
		return nil, err
	}
	defer r.leave(running)
	select {
	case <-running.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ending.Done():
	}
	if r.ending.Err() != nil {
		return nil, errEnding()
	}
	return running.metrics, running.err
}

// join returns the running round of a cluster, or starts one.
func (r *rounds) join(cluster string) (*round, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending.Err() != nil {
		return nil, errEnding()
	}
	running, ok := r.taken[cluster]
	if !ok {
		running = &round{done: make(chan struct{})}
		r.taken[cluster] = running
		panics.Go(panics.Web, func() { r.run(running, cluster) })
	}
	if running.waiting == maxWaiting {
		return nil, newProblem(http.StatusServiceUnavailable, "%d requests already wait for a round of %q", maxWaiting, cluster)
	}
	running.waiting++
	return running, nil
}

func (r *rounds) leave(running *round) {
	r.mu.Lock()
	defer r.mu.Unlock()
	running.waiting--
}

func (r *rounds) run(running *round, cluster string) {
	ctx, cancel := context.WithTimeout(r.ending, probeTimeout)
	defer cancel()
	err := panics.Catch(panics.Web, func() { running.metrics, running.err = r.take(ctx, cluster) })
	if err != nil {
		running.metrics, running.err = nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, cluster)
	close(running.done)
}

func errEnding() error {
	return newProblem(http.StatusServiceUnavailable, "stickwatch is shutting down")
}

// takeRound takes a round with the Exporter if there is one, and else with the Prober.
func (c Config) takeRound(ctx context.Context, cluster string) (http.Handler, error) {
	if c.Exporter != nil {
		return c.Exporter.Export(ctx, cluster)
	}
	return nil, c.Prober.Probe(ctx, cluster)
}

// round waits for a round of a cluster, and returns the handler of its metrics.
func (s *Server) round(ctx context.Context, cluster string) (http.Handler, error) {
	snapshot, err := s.snapshot(cluster)
	if err != nil {
		return nil, err
	}
	return s.rounds.wait(ctx, snapshot.Cluster.Name)
}

// healthy is the liveness endpoint.
func (s *Server) healthy(w http.ResponseWriter, r *http.Request) {
	write(w, r, "text/plain; charset=utf-8", http.StatusOK, []byte("stickwatch is healthy.\n"))
}

// ready is the readiness endpoint. It returns 503 with a reason until the daemon is ready.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.config.Ready(); err != nil {
		write(w, r, "text/plain; charset=utf-8", http.StatusServiceUnavailable, fmt.Appendf(nil, "stickwatch is not ready: %v\n", err))
		return
	}
	write(w, r, "text/plain; charset=utf-8", http.StatusOK, []byte("stickwatch is ready.\n"))
}

// reload reloads the configuration. The client may see errors of the file.
func (s *Server) reload(r *http.Request) (answer, error) {
	if err := s.config.Reloader.Reload(r.Context()); err != nil {
		s.config.Logger.Error("reloading the configuration", "err", err)
		return answer{}, newProblem(http.StatusUnprocessableEntity, "the configuration was not changed: %v", err)
	}
	return answer{}, nil
}

// probeTimeout bounds a requested round, including the wait for a running one.
const probeTimeout = time.Minute

// export takes a round of a cluster and returns its metrics, like a Prometheus exporter.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	q := s.queryOf(r)
	cluster := q.required("cluster")
	if err := q.err(); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTime(r))
	defer cancel()
	metrics, err := s.round(ctx, cluster)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	metrics.ServeHTTP(w, r)
}

// scrapeTime returns the scrape timeout of Prometheus minus a margin for the response.
func scrapeTime(r *http.Request) time.Duration {
	const margin = 500 * time.Millisecond
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(seconds > margin.Seconds() && seconds < probeTimeout.Seconds()) {
		return probeTimeout
	}
	return time.Duration(seconds*float64(time.Second)) - margin
}
