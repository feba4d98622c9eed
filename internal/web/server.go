// Package web is the HTTP server of the daemon: the status page, the API, and the endpoints
// for Prometheus and operators.
//
// # Access
//
// Everybody can read by default, as with Prometheus exporters. The web configuration of
// exporter-toolkit can require TLS and passwords. Changes (silences, probes, reloads) require
// the admin socket, a user, or a token; see access.
//
// # The page
//
// The page works without JavaScript: it reloads itself, its buttons are forms, and templates
// draw its charts as SVG. The script listens to [Live], fetches the same page again and
// replaces the parts that differ, so there is only one renderer.
//
// # Caching
//
// A page of 200 nodes shows 200 uptime bars. The history is read once in [Config].CacheFor and
// shared by all requests. The current state is never cached.
//
// Package probes bounds the data of targets. Here it is cut again to the space on a page, and
// escaped by html/template and encoding/json. No other code creates markup.
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
	"slices"
	"sync/atomic"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"

	"stickwatch/checks"
	"stickwatch/internal/docs"
	"stickwatch/internal/monthly"
	"stickwatch/internal/panics"
)

// A Server is the HTTP server of a daemon.
type Server struct {
	config       Config
	access       access
	historyCache *historyCache
	months       *cache[checks.Span, monthly.Report] // their slices must not be changed
	rounds       *rounds
	machine      string // host name, normalized by hostOf
	locale       atomic.Pointer[locale]
	handler      http.Handler

	links    atomic.Pointer[[]LinkTemplate]
	external atomic.Pointer[url.URL] // of Config; an empty host means unknown
}

// New returns a Server. It fails if the web configuration file is invalid.
func New(c Config) (*Server, error) {
	c = c.withDefaults()
	if err := toolkit.Validate(c.WebConfigFile); err != nil {
		return nil, fmt.Errorf("reading the web configuration %q: %w", c.WebConfigFile, err)
	}
	s := &Server{config: c, access: access{c.WebConfigFile, newTokens(c.clock)}, machine: machineName()}
	s.SetExternalURL(c.ExternalURL)
	s.SetLocale(c.Language, c.Location)
	s.SetLinks(c.Links)
	s.historyCache, s.months = newHistoryCache(c), newCache[checks.Span, monthly.Report](c, maxKeptMonths)
	s.rounds = newRounds(c.takeRound)
	s.handler = abortOnPanic(s.guard(s.routes()))
	return s, nil
}

// SetLocale changes Config.Language and Config.Location.
func (s *Server) SetLocale(language string, location *time.Location) {
	location = cmp.Or(location, time.Local)
	s.locale.Store(&locale{language: cmp.Or(language, english), zone: location, pages: allPages(location)})
}

// ServeHTTP handles a request, without the TLS, users and timeouts of Serve.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// A route is a pattern of http.ServeMux with its handler.
type route struct {
	pattern string
	handler http.Handler
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range slices.Concat(s.pageRoutes(), s.operationRoutes(), s.apiRoutes()) {
		mux.Handle(r.pattern, r.handler)
	}
	mux.Handle("/", s.notFound(mux))
	return mux
}

// pageRoutes are the routes for browsers. The OpenAPI document describes all others.
func (s *Server) pageRoutes() []route {
	routes := []route{
		{"GET /{$}", s.page(s.overview)},
		{"GET /clusters/{name}", s.page(s.clusterPage)},
		{"GET /incidents", s.page(s.incidentsPage)},
		{"GET /incidents.csv", http.HandlerFunc(s.incidentsCSV)},
		{"GET /incidents/{id}", s.incidentHandler()},
		{"GET /report", s.page(s.reportPage)},
		{"GET /report.csv", http.HandlerFunc(s.reportCSV)},
		{"GET /static/{file}", s.static()},
		{"GET /events", s.config.Live},
		{"GET /login", http.HandlerFunc(s.login)},
		{"POST /silences", s.form(s.silenceForm)},
		{"POST /silences/{id}/expire", s.form(s.expireForm)},
	}
	if s.config.Operator != nil {
		routes = append(routes, route{"POST /incidents/{id}/acknowledge", s.form(s.acknowledgeForm)},
			route{"POST /incidents/{id}/notes", s.form(s.noteForm)})
	}
	if s.config.Prober != nil {
		routes = append(routes, route{"POST /clusters/{name}/probe", s.form(s.probeForm)})
	}
	return routes
}

func (s *Server) operationRoutes() []route {
	routes := []route{
		{"GET /-/healthy", http.HandlerFunc(s.healthy)},
		{"GET /-/ready", http.HandlerFunc(s.ready)},
		{"GET /-/admin", s.api(adminOnly(s.getAdmin))},
		{"POST /-/token", s.api(adminOnly(s.postToken))},
	}
	if s.config.Reloader != nil {
		routes = append(routes, route{"POST /-/reload", s.api(s.reload)})
	}
	if s.config.Metrics != nil {
		routes = append(routes, route{"GET /metrics", s.config.Metrics})
	}
	if s.config.Exporter != nil {
		routes = append(routes, route{"GET /probe", http.HandlerFunc(s.export)})
	}
	return routes
}

func (s *Server) apiRoutes() []route {
	routes := []route{
		{"GET /api/v1/openapi.json", http.HandlerFunc(openAPI)},
		{"GET /api/v1/clusters", s.api(s.getClusters)},
		{"GET /api/v1/clusters/{name}", s.api(s.getCluster)},
		{"GET /api/v1/incidents", s.api(s.getIncidents)},
		{"GET /api/v1/incidents/{id}", s.api(s.getIncident)},
		{"GET /api/v1/history", s.api(s.getHistory)},
		{"GET /api/v1/report", s.api(s.getReport)},
		{"GET /api/v1/silences", s.api(s.getSilences)},
		{"POST /api/v1/silences", s.api(s.postSilence)},
		{"DELETE /api/v1/silences/{id}", s.api(s.deleteSilence)},
		{"GET /api/v1/deployments", s.api(s.getDeployments)},
		{"POST /api/v1/deployments", s.api(s.postDeployment)},
		{"POST /api/v1/deployments/{id}/end", s.api(s.endDeployment)},
	}
	if s.config.Operator != nil {
		routes = append(routes, route{"POST /api/v1/incidents/{id}/acknowledge", changeIncident(s, s.acknowledge)},
			route{"POST /api/v1/incidents/{id}/notes", changeIncident(s, s.addNote)})
	}
	if s.config.Prober != nil {
		routes = append(routes, route{"POST /api/v1/clusters/{name}/probe", s.api(s.probeCluster)})
	}
	return routes
}

// openAPI returns the OpenAPI document of the API.
func openAPI(w http.ResponseWriter, r *http.Request) {
	write(w, r, "application/json", http.StatusOK, docs.OpenAPI)
}

// guard rejects DNS rebinding, cross-site changes, and unauthorized changes. It wraps all
// routes, so that none can be missed.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return withSecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.checkRebinding(r); err != nil {
			s.writeProblem(w, r, err)
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			s.writeProblem(w, r, newProblem(http.StatusForbidden, "requests from another site must not make changes: %v", err))
			return
		}
		if !isSafeMethod(r) {
			if err := s.access.denial(r); err != nil {
				s.writeProblem(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
}

// abortOnPanic aborts the response of a handler that panics. Unlike net/http, it does not log
// the text of the panic.
func abortOnPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if panics.Catch(panics.Web, func() { next.ServeHTTP(w, r) }) != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// isSafeMethod reports whether the method of a request is safe.
func isSafeMethod(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// Limits of a connection. The longest regular response is a probe, bounded by probeTimeout.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 2 * probeTimeout
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10 // bytes
	shutdownTimeout   = 10 * time.Second
)

// Serve serves at listeners, and at the admin socket unless it is nil, until ctx ends. Clients
// of the admin socket may make all changes. At the end, Serve closes event streams, cancels
// rounds, waits up to ten seconds for other requests, and returns nil. If a listener fails,
// Serve closes all listeners and returns the error.
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

// panicAsError returns the error of f, or its panic as an error.
func panicAsError(f func() error) (err error) {
	if caught := panics.Catch(panics.Web, func() { err = f() }); caught != nil {
		return caught
	}
	return err
}

// serve runs one server for each listener, because exporter-toolkit changes the server's
// handler.
func (s *Server) serve(ctx context.Context, listener net.Listener, run func(*http.Server, net.Listener) error) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.config.Live.close)
	server.RegisterOnShutdown(s.rounds.close)
	down := make(chan error, 1)
	unregister := panics.AfterContext(ctx, panics.Web, func() { down <- panicAsError(func() error { return s.shutDown(ctx, server) }) })
	err := run(server, listener)
	if unregister() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at %q: %w", listener.Addr(), err)
	}
	if err := <-down; err != nil {
		return fmt.Errorf("shutting down %q: %w", listener.Addr(), err)
	}
	return nil
}

// public serves with the TLS and users of the web configuration.
func (s *Server) public(server *http.Server, l net.Listener) error {
	if s.config.MaxConnections > 0 {
		l = netutil.LimitListener(l, s.config.MaxConnections)
	}
	return toolkit.Serve(l, server, &toolkit.FlagConfig{WebConfigFile: &s.config.WebConfigFile}, s.config.Logger)
}

// admin serves the admin socket.
func (s *Server) admin(server *http.Server, l net.Listener) error {
	server.BaseContext = func(net.Listener) context.Context { return asAdmin(context.Background()) }
	return server.Serve(l)
}

// shutDown stops a server. Connections that exceed the timeout are closed, which is no error.
func (s *Server) shutDown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.config.Logger.Warn("closing requests that exceed the shutdown timeout", "after", shutdownTimeout)
		return server.Close()
	}
	return err
}
