package shoutrrr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// newPagerDuty returns the integration of a service:
// pagerduty://events.pagerduty.com/KEY. An incident is one of PagerDuty's, which its end
// resolves; the summary of a deployment is a change event. Summaries have 1024
// characters: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/.
func newPagerDuty(u *url.URL, p *parameters) (service, error) {
	path := pathOf(u)
	if len(path) != 1 {
		return nil, errors.New("has no integration key: expected pagerduty://events.pagerduty.com/KEY")
	}
	source := cmp.Or(p.take("source"), "stickwatch")
	host := cmp.Or(u.Host, "events.pagerduty.com")
	at := func(path string) *url.URL { return &url.URL{Scheme: "https", Host: host, Path: path} }
	return &chat{
		endpoint: post.Endpoint{Judge: judgePagerDuty},
		limits:   []int{30_000, fallbackLimit},
		at: func(n alerting.Notification) *url.URL {
			if n.Deployment != nil {
				return at("/v2/change/enqueue")
			}
			return at("/v2/enqueue")
		},
		body: func(notification alerting.Notification, m message.Message, limit int) any {
			const maxSummary = 1000
			e := pagerDutyEvent{Key: path[0], Client: "stickwatch"}
			e.Payload.Summary = message.Text.Fit(m.Headline+" - "+m.Summary, maxSummary)
			e.Payload.Source, e.Payload.Timestamp = source, notification.Incident.Started.UTC().Format(time.RFC3339)
			e.Payload.Details = map[string]string{"text": m.Body(message.Text, limit)}
			for _, l := range m.Links {
				e.Links = append(e.Links, pagerDutyLink{l.URL, l.Text})
			}
			if notification.Deployment == nil {
				e.Action, e.Dedup = "trigger", notification.Incident.ID
				e.Payload.Severity = string(cmp.Or(m.Severity, checks.Info))
			}
			switch {
			case notification.Deployment != nil:
			case m.Resolved:
				e.Action = "resolve"
			case acknowledges(notification):
				e.Action = "acknowledge"
			}
			return e
		},
	}, nil
}

// acknowledges reports whether a notification says that somebody takes care of the
// incident.
func acknowledges(n alerting.Notification) bool {
	return slices.ContainsFunc(n.News, func(e alerting.Event) bool { return e.Kind == alerting.EventAcknowledged })
}

type pagerDutyEvent struct {
	Key     string `json:"routing_key"`
	Action  string `json:"event_action,omitempty"`
	Dedup   string `json:"dedup_key,omitempty"`
	Client  string `json:"client,omitempty"`
	Payload struct {
		Summary   string            `json:"summary"`
		Source    string            `json:"source"`
		Severity  string            `json:"severity,omitempty"`
		Timestamp string            `json:"timestamp"`
		Details   map[string]string `json:"custom_details"`
	} `json:"payload"`
	Links []pagerDutyLink `json:"links,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// judgePagerDuty implements post.Judge. Status 400 is also that of a wrong key.
func judgePagerDuty(status int, answer []byte) (judged bool, err error) {
	var a struct {
		Status, Message string
		Errors          []string
	}
	known := json.Unmarshal(answer, &a) == nil && a.Status != ""
	switch {
	case status == http.StatusAccepted && known:
		return true, nil
	case status >= 200 && status < 300:
		return post.NoCode(status)
	case status != http.StatusBadRequest || !known:
		return false, nil
	}
	said := strings.Join(append([]string{a.Message}, a.Errors...), "; ")
	err = fmt.Errorf("PagerDuty returned %q", probes.Clean(said, post.MaxReason))
	if strings.Contains(strings.ReplaceAll(said, " ", "_"), "routing_key") {
		return true, alerting.Retriable{After: post.RepairPause, Err: fmt.Errorf("%w (give the key of an Events API v2 integration)", err)}
	}
	return true, alerting.Permanent{Err: err}
}

// newOpsgenie returns an API integration: opsgenie://api.opsgenie.com/KEY. An incident is
// an alert, whose alias is its ID. A message has 130 characters, its description 15000:
// https://docs.opsgenie.com/docs/alert-api.
func newOpsgenie(u *url.URL, p *parameters) (service, error) {
	path := pathOf(u)
	if len(path) != 1 {
		return nil, errors.New("has no API key: expected opsgenie://api.opsgenie.com/KEY")
	}
	tags := list(p.take("tags"))
	host := cmp.Or(u.Host, "api.opsgenie.com")
	return &chat{
		endpoint: post.Endpoint{Judge: judgeOpsgenie},
		header:   http.Header{"Authorization": {"GenieKey " + path[0]}},
		limits:   []int{14_000, fallbackLimit},
		at: func(n alerting.Notification) *url.URL {
			alerts := &url.URL{Scheme: "https", Host: host, Path: "/v2/alerts"}
			action := opsgenieAction(n)
			if action == "" {
				return alerts
			}
			one := alerts.JoinPath(url.PathEscape(n.Incident.ID), action)
			one.RawQuery = "identifierType=alias"
			return one
		},
		body: func(n alerting.Notification, m message.Message, limit int) any {
			const maxMessage = 130
			if opsgenieAction(n) != "" {
				return opsgenieNote{"stickwatch", m.Body(message.Text, limit)}
			}
			return opsgenieAlert{
				Message: message.Text.Fit(m.Headline, maxMessage), Alias: n.Incident.ID, Description: m.Render(message.Text, limit),
				Priority: opsgeniePriority(m), Source: "stickwatch", Entity: message.Text.Fit(n.Incident.Cluster, maxMessage), Tags: tags,
			}
		},
	}, nil
}

// opsgenieAction returns what a notification does to the alert of its incident; "": it
// creates the alert, or is counted by it.
func opsgenieAction(n alerting.Notification) string {
	switch {
	case n.Kind == alerting.NotificationResolved:
		return "close"
	case acknowledges(n):
		return "acknowledge"
	default:
		return ""
	}
}

func opsgeniePriority(m message.Message) string {
	switch m.Severity {
	case checks.Critical:
		return "P1"
	case checks.Warning:
		return "P3"
	default:
		return "P5"
	}
}

type opsgenieAlert struct {
	Message     string   `json:"message"`
	Alias       string   `json:"alias"`
	Description string   `json:"description"`
	Priority    string   `json:"priority"`
	Source      string   `json:"source"`
	Entity      string   `json:"entity"`
	Tags        []string `json:"tags,omitempty"`
}

type opsgenieNote struct {
	Source string `json:"source"`
	Note   string `json:"note"`
}

// judgeOpsgenie implements post.Judge. Success has the ID of the request. Status 422 is
// also that of a key.
func judgeOpsgenie(status int, answer []byte) (judged bool, err error) {
	var a struct {
		Message   string
		RequestID string `json:"requestId"`
	}
	known := json.Unmarshal(answer, &a) == nil && a.RequestID != ""
	switch {
	case status >= 200 && status < 300 && !known:
		return post.NoCode(status)
	case status == http.StatusUnprocessableEntity && strings.HasPrefix(a.Message, "Key "):
		err = fmt.Errorf("opsgenie returned %q (give the key of an API integration)", probes.Clean(a.Message, post.MaxReason))
		return true, alerting.Retriable{After: post.RepairPause, Err: err}
	default:
		return false, nil
	}
}
