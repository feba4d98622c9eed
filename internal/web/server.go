package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"

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
