package web

import (
	"net/http"
	"net/url"

	"stickwatch/checks"
)

// A silenceForm is what a "silence" button is about.
type silenceForm struct {
	Cluster string
	Node    string
	Code    checks.Code
}

// A form does what a form of the page asks for, and tells where to go then.
type form func(r *http.Request) (to string, err error)

// form serves a form: a page again, so that a reload repeats nothing.
func (s *Server) form(do form) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		to, err := do(r)
		if err != nil {
			p := s.newPage(r)
			s.render(w, r, s.pageOf(w, r, p, err), p)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

func (s *Server) silenceForm(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", newProblem(http.StatusBadRequest, "reading the form: %v", err)
	}
	asked := silenceRequest{
		Cluster: r.PostForm.Get("cluster"), Node: r.PostForm.Get("node"), Code: checks.Code(r.PostForm.Get("code")),
		Reason: r.PostForm.Get("reason"), Duration: r.PostForm.Get("duration"),
	}
	silence, err := s.silence(r, asked)
	return clusterLink(silence.Cluster), err
}

func (s *Server) expireForm(r *http.Request) (string, error) { return "/", s.expire(r) }

func (s *Server) probeForm(r *http.Request) (string, error) {
	return clusterLink(r.PathValue("name")), s.probe(r)
}

// clusterLink is a cluster's page, or the overview.
func clusterLink(name string) string {
	if name == "" {
		return "/"
	}
	return "/clusters/" + url.PathEscape(name)
}
