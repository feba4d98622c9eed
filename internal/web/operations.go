package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

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
