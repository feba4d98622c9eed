package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
	"stickwatch/probes"
)

// A Secret is text that shows itself only when it is asked to.
type Secret interface{ Reveal() string }

// Config says what is sent where.
type Config struct {
	URL         *url.URL
	Secret      Secret         // signs what is sent; nil or empty: it is not signed
	Template    string         // a text/template of the body, see New; "": the document itself
	ContentType string         // of what Template makes; "": application/json if it makes JSON, else text/plain
	Writer      message.Writer // writes the words in the document
	Client      *http.Client   // nil: one with time-outs
}

// A Webhook sends notices to an address.
type Webhook struct {
	box    post.Endpoint
	key    []byte
	body   *body
	writer message.Writer
}

// New makes a Webhook. It calls nobody.
//
// A template sees the document by the names of its members ({{.incident.cluster}})
// and has the function json, which writes a value as JSON, quotes included:
//
//	{"text": {{json .message.text}}}
//
// It is tried out here: one that does not parse, or asks for what no document
// has, is an error.
func New(c Config) (*Webhook, error) {
	if c.URL == nil || c.URL.Host == "" {
		return nil, errors.New("reading the webhook's address: it names no host")
	}
	body, err := newBody(c.Template, c.ContentType)
	if err != nil {
		return nil, err
	}
	w := &Webhook{box: post.Endpoint{Client: post.Client(c.Client), URL: c.URL}, body: body, writer: c.Writer}
	if c.Secret != nil {
		w.key = []byte(c.Secret.Reveal())
	}
	return w, nil
}

// Notify sends a notice. Its receipt has no thread.
func (w *Webhook) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	content, err := w.body.render(documentOf(n, w.writer.Write(n)))
	if err != nil {
		return alerting.DeliveryRef{}, alerting.Permanent{Err: fmt.Errorf("writing notice %q: %w", n.ID, err)}
	}
	header := http.Header{}
	header.Set("Content-Type", w.body.contentType)
	header.Set("Idempotency-Key", probes.Clean(n.ID, maxText))
	if len(w.key) > 0 {
		sign(header, w.key, time.Now(), content)
	}
	return alerting.DeliveryRef{}, w.box.Post(ctx, header, content)
}

// sign says by whom and when a body was sent. The time is part of what is
// signed: what somebody has overheard is not good for ever.
func sign(h http.Header, key []byte, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	h.Set("X-Stickwatch-Timestamp", timestamp)
	h.Set("X-Stickwatch-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}
