package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stickwatch/alerting"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// changeIncident returns the handler of a request of the API that changes an incident.
func changeIncident[T any](s *Server, change func(*http.Request, T) (alerting.Incident, error)) http.Handler {
	return s.api(func(r *http.Request) (answer, error) {
		asked, err := decode[T](r)
		if err != nil {
			return answer{}, err
		}
		i, err := change(r, asked)
		return answer{body: wire.IncidentOf(i, s.config.Now())}, err
	})
}

// acknowledge validates and records an acknowledgement.
func (s *Server) acknowledge(r *http.Request, asked wire.AcknowledgeRequest) (alerting.Incident, error) {
	author, err := authorOf(r, asked.Author, "note", asked.Note)
	if err != nil {
		return alerting.Incident{}, err
	}
	a := alerting.Acknowledgement{By: author, Note: asked.Note}
	i, err := s.config.Operator.Acknowledge(r.Context(), r.PathValue("id"), a, asked.TakeOver)
	if other, ok := errors.AsType[alerting.AcknowledgedError](err); ok {
		by := any(other.Existing.By)
		if by == "" {
			by = term("somebody")
		}
		return i, newProblem(http.StatusConflict, "%s acknowledged it at %s", by, other.Existing.At.In(s.locale.Load().zone).Format("2006-01-02 15:04:05 MST"))
	}
	return i, s.afterChange(r, "open incident", i, err)
}

// addNote validates and records a note.
func (s *Server) addNote(r *http.Request, asked wire.NoteRequest) (alerting.Incident, error) {
	author, err := authorOf(r, asked.Author, "text", asked.Text)
	if err == nil && strings.TrimSpace(asked.Text) == "" {
		err = newProblem(http.StatusBadRequest, `"text" is missing`)
	}
	if err != nil {
		return alerting.Incident{}, err
	}
	i, err := s.config.Operator.AddNote(r.Context(), r.PathValue("id"), author, asked.Text)
	return i, s.afterChange(r, "incident", i, err)
}

// authorOf returns the author of a request: the authenticated user by default. It returns an
// error if the author, or the text in the field called name, is too long.
func authorOf(r *http.Request, author, name, text string) (string, error) {
	var wrong []error
	if len(author) > alerting.MaxAuthor {
		wrong = append(wrong, newDetail(`"author" has %d bytes, want at most %d`, len(author), alerting.MaxAuthor))
	}
	if len(text) > alerting.MaxNote {
		wrong = append(wrong, newDetail(`%q has %d bytes, want at most %d`, name, len(text), alerting.MaxNote))
	}
	if len(wrong) > 0 {
		return "", newProblems(http.StatusBadRequest, wrong...)
	}
	if user, _, ok := r.BasicAuth(); ok && author == "" {
		author = probes.Clean(user, alerting.MaxAuthor)
	}
	return author, nil
}

// afterChange logs and publishes what an operator wrote to an incident. An error of that is returned with
// what was asked for.
func (s *Server) afterChange(r *http.Request, kind term, i alerting.Incident, err error) error {
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return notFound(kind, r.PathValue("id"), err)
		}
		return fmt.Errorf("%s %q: %w", kind, probes.Clean(r.PathValue("id"), maxWord), err)
	}
	if n := len(i.Timeline); n > 0 {
		s.config.Logger.Info("operator wrote to an incident", "incident", i.ID, "text", i.Timeline[n-1].Text)
	}
	for _, cluster := range append([]string{i.Cluster}, i.Clusters...) {
		s.config.Live.Publish(cluster)
	}
	return nil
}

func (s *Server) acknowledgeForm(r *http.Request) (string, error) {
	_, err := s.acknowledge(r, wire.AcknowledgeRequest{
		Author: r.PostForm.Get("author"), Note: r.PostForm.Get("note"), TakeOver: r.PostForm.Get("take_over") != "",
	})
	return incidentLink(r.PathValue("id")), err
}

func (s *Server) noteForm(r *http.Request) (string, error) {
	_, err := s.addNote(r, wire.NoteRequest{Author: r.PostForm.Get("author"), Text: r.PostForm.Get("text")})
	return incidentLink(r.PathValue("id")), err
}

func incidentLink(id string) string { return "/incidents/" + url.PathEscape(id) }
