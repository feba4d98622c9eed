package shoutrrr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/probes"
)

// newMattermost returns an incoming webhook: mattermost://USER@HOST/TOKEN/CHANNEL.
// A post has 16383 characters:
// https://developers.mattermost.com/integrate/webhooks/incoming/.
func newMattermost(address *url.URL, p *parameters) (service, error) {
	path := pathOf(address)
	if address.Host == "" || len(path) < 1 || len(path) > 2 {
		return nil, errors.New("has no host or no token: expected mattermost://HOST/TOKEN or mattermost://HOST/TOKEN/CHANNEL")
	}
	body := mattermostBody{User: address.User.Username()}
	if len(path) == 2 {
		body.Channel = path[1]
	}
	if icon := p.take("icon", "icon_emoji", "icon_url"); strings.HasPrefix(icon, "http") {
		body.IconURL = icon
	} else {
		body.Icon = icon
	}
	return &chat{
		endpoint: post.Endpoint{URL: &url.URL{Scheme: scheme(p), Host: address.Host, Path: "/hooks/" + path[0]}, Judge: judgeMattermost},
		limits:   []int{16_000, fallbackLimit},
		body: func(_ alerting.Notification, m message.Message, limit int) any {
			b := body
			b.Text = m.Render(line, limit)
			return b
		},
	}, nil
}

// scheme returns the scheme of a service that users may host themselves: http with
// disabletls=yes, else https.
func scheme(p *parameters) string {
	if p.takeBool("disabletls") {
		return "http"
	}
	return "https"
}

type mattermostBody struct {
	Text    string `json:"text"`
	User    string `json:"username,omitempty"`
	Channel string `json:"channel,omitempty"`
	IconURL string `json:"icon_url,omitempty"`
	Icon    string `json:"icon_emoji,omitempty"`
}

// judgeMattermost implements post.Judge. Status 400 is also that of a token or a channel
// that does not exist.
func judgeMattermost(status int, answer []byte) (judged bool, err error) {
	if status == http.StatusOK {
		if strings.TrimSpace(string(answer)) != "ok" {
			return post.NoCode(status)
		}
		return true, nil
	}
	var a struct{ ID, Message string }
	if status != http.StatusBadRequest || json.Unmarshal(answer, &a) != nil || a.ID == "" {
		return false, nil
	}
	err = fmt.Errorf("mattermost returned %q: %q", probes.Clean(a.ID, post.MaxReason), probes.Clean(a.Message, post.MaxReason))
	badText := []string{"web.incoming_webhook.text.app_error", "web.incoming_webhook.parse.app_error", "model.post.is_valid.msg.app_error"}
	if slices.Contains(badText, a.ID) {
		return true, alerting.Permanent{Err: err}
	}
	return true, alerting.Retriable{After: post.RepairPause, Err: err}
}
