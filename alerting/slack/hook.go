package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// HookConfig says where a Hook posts.
type HookConfig struct {
	URL    Secret         // the incoming webhook's address, which is all its secret
	Writer message.Writer // writes what is posted
	Client *http.Client   // nil: one with time-outs
}

// A Hook posts by an incoming webhook: every notice is a message of its own,
// with all that is to be known of its incident.
type Hook struct {
	box    post.Endpoint
	writer message.Writer
}

// NewHook makes a Hook. It calls nobody.
func NewHook(c HookConfig) (*Hook, error) {
	address, err := url.Parse(c.URL.Reveal())
	if err != nil || address.Host == "" {
		return nil, errors.New("reading the webhook's address: it is no URL")
	}
	return &Hook{post.Endpoint{Client: post.Client(c.Client), URL: address, Quote: codeOnly}, c.Writer}, nil
}

// Notify posts a notice. Its receipt has no thread.
func (h *Hook) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	c := root(h.writer.Write(n))
	err := c.shortened(func(c content) error { return h.post(ctx, c) })
	if err != nil {
		return alerting.DeliveryRef{}, classify("posting to the webhook", err)
	}
	return alerting.DeliveryRef{}, nil
}

func (h *Hook) post(ctx context.Context, c content) error {
	never := false
	m := api.WebhookMessage{
		Text:        c.text,
		Attachments: c.attachments(),
		Parse:       "none",
		UnfurlLinks: &never,
		UnfurlMedia: &never,
	}
	if len(c.blocks) > 0 {
		m.Blocks = &api.Blocks{BlockSet: c.blocks}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return alerting.Permanent{Err: fmt.Errorf("encoding a message: %w", err)}
	}
	// The library's own function would not say why Slack refuses.
	return h.box.Post(ctx, http.Header{"Content-Type": {"application/json"}}, body)
}

var errorCode = regexp.MustCompile(`^[a-z][a-z_]{2,59}$`)

// codeOnly shows an answer that is an error's name. Anything else may repeat
// the address.
func codeOnly(answer string) string {
	if errorCode.MatchString(answer) {
		return answer
	}
	return ""
}
