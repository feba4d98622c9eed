package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// Bounds of a connection. The longest honest answer is a probe now, which is
// bounded by probeNow.
const (
	readHeader   = 10 * time.Second
	readAll      = 30 * time.Second
	writeAll     = 2 * probeNow
	idle         = 2 * time.Minute
	maxHeader    = 32 << 10 // bytes
	shutdownTime = 10 * time.Second
)

// Serve answers at listeners until ctx ends, then ends its streams, lets the
// requests under way finish for up to ten seconds, and returns nil. Any other
// end is an error, and ends all listeners.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ends := make(chan error)
	for _, l := range listeners {
		go func() { ends <- s.serve(ctx, l) }()
	}
	var all []error
	for range listeners {
		if err := <-ends; err != nil {
			all = append(all, err)
			stop()
		}
	}
	return errors.Join(all...)
}

// serve has a server for each listener: exporter-toolkit puts its own handler
// into the server that it is given.
func (s *Server) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeader,
		ReadTimeout:       readAll,
		WriteTimeout:      writeAll,
		IdleTimeout:       idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.config.Live.Close)
	down := make(chan error, 1)
	unregister := context.AfterFunc(ctx, func() { down <- shutDown(ctx, server) })
	err := toolkit.Serve(l, server, &toolkit.FlagConfig{WebConfigFile: &s.config.WebConfigFile}, s.config.Logger)
	if unregister() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at %q: %w", l.Addr(), err)
	}
	if err := <-down; err != nil {
		return fmt.Errorf("ending requests at %q: %w", l.Addr(), err)
	}
	return nil
}

func shutDown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
