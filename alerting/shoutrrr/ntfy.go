package shoutrrr

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/checks"
)

// newNtfy returns a topic: ntfy://USER:PASSWORD@HOST/TOPIC. A message has 4096 bytes;
// longer ones become attachments: https://docs.ntfy.sh/publish/.
func newNtfy(address *url.URL, p *parameters) (service, error) {
	path := pathOf(address)
	if len(path) != 1 {
		return nil, errors.New("has no topic: expected ntfy://HOST/TOPIC")
	}
	header := http.Header{}
	if password, ok := address.User.Password(); ok {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(address.User.Username()+":"+password)))
	}
	tags := list(p.take("tags"))
	protocol := cmp.Or(p.take("scheme"), "https")
	if p.takeBool("disabletls") {
		protocol = "http"
	}
	return &chat{
		endpoint: post.Endpoint{URL: &url.URL{Scheme: protocol, Host: cmp.Or(address.Host, "ntfy.sh"), Path: "/"}, Judge: judgeNtfy},
		header:   header,
		limits:   []int{4096, fallbackLimit},
		body: func(_ alerting.Notification, m message.Message, limit int) any {
			const maxTitle = 200
			b := ntfyBody{Topic: path[0], Title: message.Text.Fit(m.Headline, maxTitle), Text: m.Body(message.Text, limit), Priority: ntfyPriority(m), Tags: tags}
			const maxActions = 3
			for n, l := range m.Links[:min(len(m.Links), maxActions)] {
				if n == 0 {
					b.Click = l.URL
				}
				b.Actions = append(b.Actions, ntfyAction{"view", l.Text, l.URL})
			}
			return b
		},
	}, nil
}

// ntfyPriority returns a priority from 1 to 5. A critical incident rings in spite of "do
// not disturb".
func ntfyPriority(m message.Message) int {
	switch {
	case m.Resolved:
		return 3
	case m.Severity == checks.Critical:
		return 5
	case m.Severity == checks.Warning:
		return 4
	default:
		return 3
	}
}

type ntfyBody struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title"`
	Text     string       `json:"message,omitempty"`
	Priority int          `json:"priority"`
	Tags     []string     `json:"tags,omitempty"`
	Click    string       `json:"click,omitempty"`
	Actions  []ntfyAction `json:"actions,omitempty"`
}

type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// judgeNtfy implements post.Judge. Success has the ID of the message.
func judgeNtfy(status int, answer []byte) (judged bool, err error) {
	var a struct{ ID string }
	if status == http.StatusOK && (json.Unmarshal(answer, &a) != nil || a.ID == "") {
		return post.NoCode(status)
	}
	return false, nil
}
