// Package web is the daemon's HTTP: the status page, the API, and what
// Prometheus and operators ask a server for.
//
// # Read by anybody, changed by few
//
// Reading is open, as with the exporters beside which stickwatch runs; the web
// configuration of Prometheus's exporter-toolkit closes it, with TLS and
// passwords. What changes something (a silence, a probe now, a reload) needs more:
// the admin socket, a user, or a token; see access.
//
// # One page, two readers
//
// The page is whole without JavaScript: it refreshes itself, its buttons are
// forms, its charts are SVG that templates draw. The script, where it runs,
// listens to [Live], fetches the very same page again and takes over the parts
// that differ. There is no second rendering to keep equal to the first.
//
// # Fast by remembering
//
// A page of 200 nodes shows 200 strips of the past. What is past hardly
// changes, so it is read from the history once in [Config].Remember and shared
// by everybody who looks; what is present is never remembered.
//
// Whatever a target said was bounded where it was read. It is cut again here,
// to what a page has room for, and escaped by html/template and encoding/json;
// no markup is made any other way.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"

	"stickwatch/internal/panics"
)

// A Server answers HTTP for a daemon.
type Server struct {
	config       Config
	access       access
	historyCache *historyCache
	rounds       *rounds
	machine      string // its name, as hostOf has it
	locale       atomic.Pointer[locale]
	handler      http.Handler

	external atomic.Pointer[url.URL] // of Config; without a host: not known
}

// New returns a Server of c. Its error is about the web configuration file.
func New(c Config) (*Server, error) {
	c = c.withDefaults()
	if err := toolkit.Validate(c.WebConfigFile); err != nil {
		return nil, fmt.Errorf("reading the web configuration %q: %w", c.WebConfigFile, err)
	}
	s := &Server{config: c, access: access{c.WebConfigFile, newTokens(c.Now)}, machine: machineName()}
	s.SetExternalURL(c.ExternalURL)
	s.SetLocale(c.Language, c.Location)
	s.historyCache = newHistoryCache(c)
	s.rounds = newRounds(c.takeRound)
	s.handler = abortOnPanic(s.guard(s.routes()))
	return s, nil
}

// SetLocale changes Config's Language and Location for the answers to come.
func (s *Server) SetLocale(language string, location *time.Location) {
	location = cmp.Or(location, time.Local)
	s.locale.Store(&locale{language: cmp.Or(language, english), zone: location, pages: allPages(location)})
}

// ServeHTTP answers one request, without what Serve adds: TLS, users, time-outs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.routePages(mux)
	s.routeOperations(mux)
	s.routeAPI(mux)
	mux.Handle("/", s.notFound(mux))
	return mux
}

func (s *Server) routePages(mux *http.ServeMux) {
	mux.Handle("GET /{$}", s.page(s.overview))
	mux.Handle("GET /clusters/{name}", s.page(s.clusterPage))
	mux.Handle("GET /incidents", s.page(s.incidentsPage))
	mux.Handle("GET /incidents/{id}", s.page(s.incidentPage))
	mux.Handle("GET /static/{file}", s.static())
	mux.Handle("GET /events", s.config.Live)
	mux.Handle("POST /silences", s.form(s.silenceForm))
	mux.Handle("POST /silences/{id}/expire", s.form(s.expireForm))
	if s.config.Prober != nil {
		mux.Handle("POST /clusters/{name}/probe", s.form(s.probeForm))
	}
}

func (s *Server) routeOperations(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("GET /-/healthy", s.healthy)
	mux.HandleFunc("GET /-/ready", s.ready)
	if s.config.Reloader != nil {
		mux.Handle("POST /-/reload", s.api(s.reload))
	}
	mux.Handle("GET /-/admin", s.api(adminOnly(s.getAdmin)))
	mux.Handle("POST /-/token", s.api(adminOnly(s.postToken)))
	if s.config.Metrics != nil {
		mux.Handle("GET /metrics", s.config.Metrics)
	}
	if s.config.Exporter != nil {
		mux.HandleFunc("GET /probe", s.export)
	}
}

func (s *Server) routeAPI(mux *http.ServeMux) {
	mux.Handle("GET /api/v1/clusters", s.api(s.getClusters))
	mux.Handle("GET /api/v1/clusters/{name}", s.api(s.getCluster))
	if s.config.Prober != nil {
		mux.Handle("POST /api/v1/clusters/{name}/probe", s.api(s.probeCluster))
	}
	mux.Handle("GET /api/v1/incidents", s.api(s.getIncidents))
	mux.Handle("GET /api/v1/incidents/{id}", s.api(s.getIncident))
	mux.Handle("GET /api/v1/history", s.api(s.getHistory))
	mux.Handle("GET /api/v1/silences", s.api(s.getSilences))
	mux.Handle("POST /api/v1/silences", s.api(s.postSilence))
	mux.Handle("DELETE /api/v1/silences/{id}", s.api(s.deleteSilence))
	mux.Handle("GET /api/v1/deployments", s.api(s.getDeployments))
	mux.Handle("POST /api/v1/deployments", s.api(s.postDeployment))
	mux.Handle("POST /api/v1/deployments/{id}/end", s.api(s.endDeployment))
}

// guard answers nobody who was led here, and lets nobody change anything from
// another site, or without the right to.
// It stands before every route: a new one cannot be forgotten.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkRebinding(r); err != nil {
			s.writeProblem(w, r, err)
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			s.writeProblem(w, r, newProblem(http.StatusForbidden, "requests from another site may change nothing: %v", err))
			return
		}
		if !reads(r) {
			if err := s.access.deny(r); err != nil {
				s.writeProblem(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
}

// abortOnPanic breaks off an answer that panics. Package net/http would do so too, but
// would write to the log what the panic says.
func abortOnPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if panics.Catch(panics.Web, func() { next.ServeHTTP(w, r) }) != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// reads reports whether a request changes nothing by its method.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

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
