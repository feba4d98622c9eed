package shoutrrr

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// newTeams returns an incoming webhook of Teams:
// teams://GROUP@TENANT/ALTID/OWNER/EXTRAID?host=ORGANIZATION.webhook.office.com. Teams
// refuses messages of more than 28 kB:
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
func newTeams(u *url.URL, p *parameters) (service, error) {
	path, host := pathOf(u), p.take("host")
	if u.User.Username() == "" || u.Host == "" || len(path) != 3 || !strings.HasSuffix(host, ".webhook.office.com") {
		return nil, errors.New("is incomplete: expected teams://GROUP@TENANT/ALTID/OWNER/EXTRAID?host=ORGANIZATION.webhook.office.com")
	}
	hook := fmt.Sprintf("/webhookb2/%s@%s/IncomingWebhook/%s", u.User.Username(), u.Host, strings.Join(path, "/"))
	return &chat{
		endpoint: post.Endpoint{URL: &url.URL{Scheme: "https", Host: host, Path: hook}, Judge: judgeTeams},
		limits:   []int{12_000, fallbackLimit}, // JSON may take two bytes for one of the text
		body:     func(_ alerting.Notification, m message.Message, limit int) any { return teamsCardOf(m, limit) },
	}, nil
}

func teamsCardOf(m message.Message, limit int) teamsCard {
	const maxTitle = 300
	c := teamsCard{
		Type: "MessageCard", Context: "https://schema.org/extensions", Colour: teamsColour(m),
		Title: message.Markdown.Fit(m.Headline, maxTitle), Text: m.Body(message.Markdown, limit),
	}
	c.Summary = c.Title
	for _, l := range m.Links {
		c.Actions = append(c.Actions, teamsAction{Type: "OpenUri", Name: l.Text, Targets: []teamsTarget{{"default", l.URL}}})
	}
	return c
}

func teamsColour(m message.Message) string {
	switch {
	case m.Resolved:
		return "12b76a"
	case m.Severity == checks.Critical:
		return "d92d20"
	default:
		return "f79009"
	}
}

type teamsCard struct {
	Type    string        `json:"@type"`
	Context string        `json:"@context"`
	Colour  string        `json:"themeColor"`
	Title   string        `json:"title"`
	Summary string        `json:"summary"`
	Text    string        `json:"text"`
	Actions []teamsAction `json:"potentialAction,omitempty"`
}

type teamsAction struct {
	Type    string        `json:"@type"`
	Name    string        `json:"name"`
	Targets []teamsTarget `json:"targets"`
}

type teamsTarget struct {
	System string `json:"os"`
	URI    string `json:"uri"`
}

// judgeTeams implements post.Judge. Teams answers "1" to a message that it delivers; an
// answer with status 200 and other text is an error, and names the status of a service
// behind it.
func judgeTeams(status int, answer []byte) (judged bool, err error) {
	text := strings.TrimSpace(string(answer))
	switch {
	case status == http.StatusOK && text == "1":
		return true, nil
	case status != http.StatusOK:
		return false, nil
	case !strings.HasPrefix(text, "Webhook"):
		return post.NoCode(status)
	}
	err = fmt.Errorf("teams returned %q", probes.Clean(text, post.MaxReason))
	switch {
	case strings.Contains(text, "error 429"):
		return true, alerting.Retriable{After: post.LimitPause, Err: err}
	case strings.Contains(text, "error 413"):
		return true, alerting.Permanent{Err: err}
	default:
		return true, alerting.Retriable{Err: err}
	}
}
