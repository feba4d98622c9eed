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

// maxWaiting bounds who waits for a round of one cluster.
const maxWaiting = 16

// rounds lets everybody who wants a round of a cluster now wait for the one that
// is being taken: nodes are not asked more often because more people ask, and GET
// /probe is open to whoever may read. A round goes on when those who wanted it
// have left, so that there is never a second one beside it.
type rounds struct {
	take   func(ctx context.Context, cluster string) (http.Handler, error)
	ending context.Context // ends with close, and so do the rounds under way
	close  context.CancelFunc

	mu    sync.Mutex
	taken map[string]*round // under way, by cluster
}

// A round is being taken, or was.
type round struct {
	done    chan struct{} // closed at its end, after metrics and err are set
	metrics http.Handler
	err     error

	waiting int // under rounds.mu
}

// newRounds returns rounds that a function takes. It returns what answers with
// the metrics of its round.
func newRounds(take func(context.Context, string) (http.Handler, error)) *rounds {
	r := &rounds{take: take, taken: map[string]*round{}}
	r.ending, r.close = context.WithCancel(context.Background())
	return r
}

// wait waits for a round of a cluster, until ctx or rounds end.
func (r *rounds) wait(ctx context.Context, cluster string) (http.Handler, error) {
	one, err := r.join(cluster)
	if err != nil {
		return nil, err
	}
	defer r.leave(one)
	select {
	case <-one.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ending.Done():
	}
	if r.ending.Err() != nil {
		return nil, errEnding()
	}
	return one.metrics, one.err
}

// join returns the round that is being taken of a cluster, or begins one.
func (r *rounds) join(cluster string) (*round, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending.Err() != nil {
		return nil, errEnding()
	}
	one, ok := r.taken[cluster]
	if !ok {
		one = &round{done: make(chan struct{})}
		r.taken[cluster] = one
		panics.Go(panics.Web, func() { r.run(one, cluster) })
	}
	if one.waiting == maxWaiting {
		return nil, newProblem(http.StatusServiceUnavailable, "%d requests wait for a round of %q already", maxWaiting, cluster)
	}
	one.waiting++
	return one, nil
}

func (r *rounds) leave(one *round) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.waiting--
}

func (r *rounds) run(one *round, cluster string) {
	ctx, cancel := context.WithTimeout(r.ending, probeTimeout)
	defer cancel()
	err := panics.Catch(panics.Web, func() { one.metrics, one.err = r.take(ctx, cluster) })
	if err != nil {
		one.metrics, one.err = nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, cluster)
	close(one.done)
}

func errEnding() error { return newProblem(http.StatusServiceUnavailable, "stickwatch is ending") }

// takeRound takes a round with whoever there is for it. An Exporter takes the
// same rounds as a Prober.
func (c Config) takeRound(ctx context.Context, cluster string) (http.Handler, error) {
	if c.Exporter != nil {
		return c.Exporter.Export(ctx, cluster)
	}
	return nil, c.Prober.Probe(ctx, cluster)
}

// round waits for a round of a cluster, and returns what answers with its metrics.
func (s *Server) round(ctx context.Context, cluster string) (http.Handler, error) {
	p, err := s.snapshot(cluster)
	if err != nil {
		return nil, err
	}
	return s.rounds.wait(ctx, p.Cluster.Name)
}

// healthy answers as long as the process can answer at all.
func (s *Server) healthy(w http.ResponseWriter, r *http.Request) {
	write(w, r, "text/plain; charset=utf-8", http.StatusOK, []byte("stickwatch is healthy.\n"))
}

// ready answers with 503 and a reason until the daemon can tell something.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.config.Ready(); err != nil {
		write(w, r, "text/plain; charset=utf-8", http.StatusServiceUnavailable, fmt.Appendf(nil, "stickwatch is not ready: %v\n", err))
		return
	}
	write(w, r, "text/plain; charset=utf-8", http.StatusOK, []byte("stickwatch is ready.\n"))
}

// reload reads the configuration again. Who may ask for it may know what is
// wrong with the file.
func (s *Server) reload(r *http.Request) (answer, error) {
	if err := s.config.Reloader.Reload(r.Context()); err != nil {
		s.config.Logger.Error("reloading the configuration", "err", err)
		return answer{}, newProblem(http.StatusUnprocessableEntity, "the configuration is as before: %v", err)
	}
	return answer{}, nil
}

// probeTimeout bounds a round that somebody waits for: waiting for it, too.
const probeTimeout = time.Minute

// export probes a cluster and answers with the metrics of that round, as
// exporters of Prometheus do.
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

// scrapeTime is how long Prometheus waits, less what the answer needs on its way.
func scrapeTime(r *http.Request) time.Duration {
	const onItsWay = 500 * time.Millisecond
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(seconds > onItsWay.Seconds() && seconds < probeTimeout.Seconds()) {
		return probeTimeout
	}
	return time.Duration(seconds*float64(time.Second)) - onItsWay
}
