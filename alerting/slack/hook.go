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

// HookConfig configures a Hook.
type HookConfig struct {
	URL    alerting.Secret // of the incoming webhook; it contains the credentials
	Writer message.Writer  // creates the content
	Client *http.Client    // nil: one with timeouts
}

// A Hook sends notifications through an incoming webhook. Every notification is a
// message with all information about its incident.
type Hook struct {
	endpoint post.Endpoint
	writer   message.Writer
}

// NewHook returns a Hook. It sends no request.
func NewHook(c HookConfig) (*Hook, error) {
	address, err := url.Parse(c.URL.Reveal())
	if err != nil || address.Host == "" {
		return nil, errors.New("parsing the webhook URL: it is not a URL")
	}
	return &Hook{post.Endpoint{Client: post.Client(c.Client), URL: address, Quote: codeOnly}, c.Writer}, nil
}

// Notify sends a notification. The DeliveryRef is always empty, because the response of a webhook does not
// identify the message.
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
	// The library's own function for webhooks does not return the reason of a refusal.
	return h.endpoint.Post(ctx, http.Header{"Content-Type": {"application/json"}}, body)
}

var errorCode = regexp.MustCompile(`^[a-z][a-z_]{2,59}$`)

// codeOnly returns a response only if it is an error code. Other responses may
// contain the URL.
func codeOnly(answer string) string {
	if errorCode.MatchString(answer) {
		return answer
	}
	return ""
}
