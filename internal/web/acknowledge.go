package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stickwatch/alerting"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An acknowledgeRequest is a request to acknowledge an incident, by the API or a form.
type acknowledgeRequest struct {
	Author string `json:"author"` // "": the authenticated user
	Note   string `json:"note"`
}

func (s *Server) postAcknowledge(r *http.Request) (answer, error) {
	asked, err := decode[acknowledgeRequest](r)
	if err != nil {
		return answer{}, err
	}
	i, err := s.acknowledge(r, asked)
	if err != nil {
		return answer{}, err
	}
	return answer{body: wire.IncidentOf(i, s.config.Now())}, nil
}

// acknowledge validates and records an acknowledgement.
func (s *Server) acknowledge(r *http.Request, asked acknowledgeRequest) (alerting.Incident, error) {
	var wrong []string
	if len(asked.Author) > alerting.MaxAuthor {
		wrong = append(wrong, fmt.Sprintf(`"author" has %d bytes, want at most %d`, len(asked.Author), alerting.MaxAuthor))
	}
	if len(asked.Note) > alerting.MaxNote {
		wrong = append(wrong, fmt.Sprintf(`"note" has %d bytes, want at most %d`, len(asked.Note), alerting.MaxNote))
	}
	if len(wrong) > 0 {
		return alerting.Incident{}, newProblem(http.StatusBadRequest, "%s", strings.Join(wrong, "; "))
	}
	if user, _, ok := r.BasicAuth(); ok && asked.Author == "" {
		asked.Author = probes.Clean(user, alerting.MaxAuthor)
	}
	id := r.PathValue("id")
	i, err := s.config.Acknowledger.Acknowledge(r.Context(), id, alerting.Acknowledgement{By: asked.Author, Note: asked.Note})
	if err != nil {
		return alerting.Incident{}, fmt.Errorf("open incident %q: %w", probes.Clean(id, maxWord), err)
	}
	s.config.Logger.Info("incident acknowledged", "incident", i.ID, "author", i.Acknowledged.By)
	for _, cluster := range append([]string{i.Cluster}, i.Clusters...) {
		s.config.Live.Publish(cluster)
	}
	return i, nil
}

func (s *Server) acknowledgeForm(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", newProblem(http.StatusBadRequest, "reading the form: %v", err)
	}
	_, err := s.acknowledge(r, acknowledgeRequest{Author: r.PostForm.Get("author"), Note: r.PostForm.Get("note")})
	return "/incidents/" + url.PathEscape(r.PathValue("id")), err
}
