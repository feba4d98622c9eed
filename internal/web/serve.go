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
	"golang.org/x/net/netutil"

	"stickwatch/internal/panics"
)

// Bounds of a connection. The longest honest answer is a probe now, which is
// bounded by probeTimeout.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 2 * probeTimeout
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10 // bytes
	shutdownTimeout   = 10 * time.Second
)

// Serve answers at listeners, and at the admin socket unless that is nil, until ctx
// ends. Whoever reaches the admin socket may change everything. Serve then ends its streams and the rounds
// that requests wait for, lets all other requests under way finish for up to ten
// seconds, and returns nil. Any other end is an error, and ends all listeners.
func (s *Server) Serve(ctx context.Context, admin net.Listener, listeners ...net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ends, running := make(chan error), len(listeners)
	for _, l := range listeners {
		panics.Go(panics.Web, func() { ends <- panicAsError(func() error { return s.serve(ctx, l, s.public) }) })
	}
	if admin != nil {
		running++
		panics.Go(panics.Web, func() { ends <- panicAsError(func() error { return s.serve(ctx, admin, s.admin) }) })
	}
	var all []error
	for range running {
		if err := <-ends; err != nil {
			all = append(all, err)
			stop()
		}
	}
	return errors.Join(all...)
}

// panicAsError returns the error of f, or that it panicked.
func panicAsError(f func() error) (err error) {
	if caught := panics.Catch(panics.Web, func() { err = f() }); caught != nil {
		return caught
	}
	return err
}

// serve has a server for each listener: exporter-toolkit puts its own handler
// into the server that it is given.
func (s *Server) serve(ctx context.Context, l net.Listener, run func(*http.Server, net.Listener) error) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.config.Live.Close)
	server.RegisterOnShutdown(s.rounds.close)
	down := make(chan error, 1)
	unregister := panics.AfterContext(ctx, panics.Web, func() { down <- panicAsError(func() error { return s.shutDown(ctx, server) }) })
	err := run(server, l)
	if unregister() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at %q: %w", l.Addr(), err)
	}
	if err := <-down; err != nil {
		return fmt.Errorf("ending requests at %q: %w", l.Addr(), err)
	}
	return nil
}

// public answers as the web configuration says: with TLS, to users.
func (s *Server) public(server *http.Server, l net.Listener) error {
	if s.config.MaxConnections > 0 {
		l = netutil.LimitListener(l, s.config.MaxConnections)
	}
	return toolkit.Serve(l, server, &toolkit.FlagConfig{WebConfigFile: &s.config.WebConfigFile}, s.config.Logger)
}

// admin answers who could open the admin socket.
func (s *Server) admin(server *http.Server, l net.Listener) error {
	server.BaseContext = func(net.Listener) context.Context { return asAdmin(context.Background()) }
	return server.Serve(l)
}

// shutDown ends a server. Whoever takes longer than there is time for is cut off:
// that is nothing that went wrong here.
func (s *Server) shutDown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.config.Logger.Warn("requests under way are cut off", "after", shutdownTimeout)
		return server.Close()
	}
	return err
}
