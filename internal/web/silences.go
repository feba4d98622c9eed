package web

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// maxSilence bounds the length of a silence, because it may be forgotten.
const maxSilence = 90 * 24 * time.Hour

// maxSilenceLead bounds the start of a silence; a later start is a mistake.
const maxSilenceLead = 365 * 24 * time.Hour

// maxReason bounds the reason of a silence, in bytes.
const maxReason = 1000

func (s *Server) getSilences(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	silences, err := s.config.History.Silences(r.Context(), s.config.Now())
	return answer{body: wireSilences{wire.List(silences, func(one alerting.Silence) wire.Silence { return wire.SilenceOf(one, s.config.Now()) })}}, err
}

func (s *Server) postSilence(r *http.Request) (answer, error) {
	asked, err := decode[wire.SilenceRequest](r)
	if err != nil {
		return answer{}, err
	}
	silence, err := s.silence(r, asked)
	if err != nil {
		return answer{}, err
	}
	return answer{
		status:   http.StatusCreated,
		location: "/api/v1/silences/" + silence.ID,
		body:     wire.SilenceOf(silence, s.config.Now()),
	}, nil
}

// deleteSilence ends a silence now. The history keeps it.
func (s *Server) deleteSilence(r *http.Request) (answer, error) {
	return answer{}, s.expire(r)
}

// silence validates and stores a silence.
func (s *Server) silence(r *http.Request, asked wire.SilenceRequest) (alerting.Silence, error) {
	silence, err := s.validSilence(asked)
	if err != nil {
		return alerting.Silence{}, err
	}
	if user, _, ok := r.BasicAuth(); ok && silence.Author == "" {
		silence.Author = probes.Clean(user, maxWord)
	}
	if err := s.config.History.AddSilence(r.Context(), silence); err != nil {
		return alerting.Silence{}, err
	}
	s.config.Logger.Info("silence added", "id", silence.ID, "cluster", silence.Cluster, "node", silence.Node,
		"code", silence.Code, "to", silence.To, "author", silence.Author)
	s.publishSilence(silence)
	return silence, nil
}

func (s *Server) expire(r *http.Request) error {
	id := r.PathValue("id")
	if err := s.config.History.ExpireSilence(r.Context(), id, s.config.Now()); err != nil {
		if errors.Is(err, ErrNotFound) {
			return notFound("silence", id, err)
		}
		return err
	}
	s.config.Logger.Info("silence expired", "id", probes.Clean(id, maxWord))
	s.publishSilence(alerting.Silence{})
	return nil
}

// publishSilence updates the pages that show the cluster of a silence.
func (s *Server) publishSilence(silence alerting.Silence) { s.config.Live.Publish(silence.Cluster) }

// validSilence converts a request to a silence, or returns all its errors.
func (s *Server) validSilence(request wire.SilenceRequest) (alerting.Silence, error) {
	var wrong []error
	span, err := spanOf(request, s.config.Now())
	if err != nil {
		wrong = append(wrong, err)
	}
	if err := checkScope(request); err != nil {
		wrong = append(wrong, err)
	}
	if len(request.Reason) > maxReason {
		wrong = append(wrong, newDetail(`"reason" has %d bytes, want at most %d`, len(request.Reason), maxReason))
	}
	if len(request.Author) > maxWord {
		wrong = append(wrong, newDetail(`"author" has %d bytes, want at most %d`, len(request.Author), maxWord))
	}
	if request.Code != "" && !checks.Known(request.Code) {
		wrong = append(wrong, newDetail(`"code" is not a code of a finding`))
	}
	if err := s.checkNames(request.Cluster, request.Node); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return alerting.Silence{}, newProblems(http.StatusBadRequest, wrong...)
	}
	return alerting.Silence{
		ID: strings.ToLower(rand.Text()[:12]), Cluster: request.Cluster, Node: request.Node, Code: request.Code,
		Reason: probes.Clean(request.Reason, maxReason), Author: probes.Clean(request.Author, maxWord),
		From: span.From, To: span.To,
	}, nil
}

// checkScope validates the scope of a silence. An empty variable in a script must not silence
// everything.
func checkScope(a wire.SilenceRequest) error {
	switch chosen := a.Cluster != "" || a.Node != "" || a.Code != ""; {
	case a.All && chosen:
		return newDetail(`"all" excludes "cluster", "node" and "code"`)
	case !a.All && !chosen:
		return newDetail(`want one of "cluster", "node" and "code", or "all": true for everything`)
	}
	return nil
}

func spanOf(request wire.SilenceRequest, now time.Time) (checks.Span, error) {
	span := checks.Span{From: now}
	var err error
	if request.From != "" {
		if span.From, err = time.Parse(time.RFC3339, request.From); err != nil {
			return span, newDetail(`"from" is %q, want a time such as %s`, request.From, now.UTC().Format(time.RFC3339))
		}
	}
	switch {
	case (request.To == "") == (request.Duration == ""):
		return span, newDetail(`want one of "to" and "duration"`)
	case request.To != "":
		if span.To, err = time.Parse(time.RFC3339, request.To); err != nil {
			return span, newDetail(`"to" is %q, want a time such as %s`, request.To, now.UTC().Format(time.RFC3339))
		}
	default:
		d, err := parseDuration(request.Duration)
		if err != nil {
			return span, newDetail(`"duration" is %q, want one such as 30m, 2h or 7d`, request.Duration)
		}
		span.To = span.From.Add(d)
	}
	if span.From.After(now.Add(maxSilenceLead)) {
		return span, newDetail("it must start within a year")
	}
	if !span.To.After(span.From) || !span.To.After(now) || span.To.Sub(span.From) > maxSilence {
		return span, newDetail("it must end after its start and after now, within 90 days")
	}
	return span, nil
}

// checkNames validates the names of a cluster and a node. A silence for an unknown name is a
// typing error.
func (s *Server) checkNames(cluster, node string) error {
	if cluster == "" && node == "" {
		return nil
	}
	err := newDetail(`"cluster" is not a known cluster`)
	for _, snapshot := range s.config.Snapshots.Snapshots() {
		if cluster != "" && snapshot.Cluster.Name != cluster {
			continue
		}
		if cluster != "" && snapshot.Cluster.Base != "" {
			return ofView(snapshot.Cluster)
		}
		if node == "" || slices.ContainsFunc(snapshot.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node }) {
			return nil
		}
		err = newDetail(`"node" is not a node of the cluster`)
	}
	return err
}

// ofView is the error of a request that would have no effect, because incidents are those of a cluster, not
// of the view that a site has of it.
func ofView(view *probes.Cluster) detail {
	return newDetail(`"cluster" is what one site sees of %q: name that cluster`, view.Base)
}

// A silenceForm is the scope of a silence button.
type silenceForm struct {
	Cluster string
	Node    string
	Code    checks.Code
}

// A form handles a submitted form and returns where to redirect.
type form func(r *http.Request) (to string, err error)

// form returns the handler of a form. It redirects, so that a reload does not submit again.
func (s *Server) form(do form) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		to, err := "", r.ParseForm()
		if err != nil {
			err = newProblem(http.StatusBadRequest, "reading the form: %v", err)
		} else {
			to, err = do(r)
		}
		if err != nil {
			p := s.newPage(r)
			s.render(w, r, s.pageOf(w, r, p, err), p)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

func (s *Server) silenceForm(r *http.Request) (string, error) {
	asked := wire.SilenceRequest{
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

// clusterLink returns the path of a cluster's page, or of the overview for "".
func clusterLink(name string) string {
	if name == "" {
		return "/"
	}
	return "/clusters/" + url.PathEscape(name)
}
