package web

import (
	"net/http"
	"strings"
)

// notFound answers where no route is, or none for the method: programs with a
// problem, people with a page.
func (s *Server) notFound(mux *http.ServeMux) http.Handler {
	page := s.page(func(r *http.Request, p *page) error {
		return newProblem(http.StatusNotFound, "there is no page %s", r.URL.Path)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch allowed := methodsFor(mux, r); {
		case len(allowed) > 0:
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "%s takes %s, got %s", r.URL.Path, strings.Join(allowed, " and "), r.Method))
		case reads(r) && !strings.HasPrefix(r.URL.Path, "/api/"):
			page.ServeHTTP(w, r)
		default:
			s.writeProblem(w, r, newProblem(http.StatusNotFound, "there is no %s", r.URL.Path))
		}
	})
}

// methodsFor tells for which methods there is a route to the path of r.
func methodsFor(mux *http.ServeMux, r *http.Request) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			methods = append(methods, method)
		}
	}
	return methods
}
