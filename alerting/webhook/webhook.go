// Package webhook sends notifications to an HTTP endpoint: each one is a POST of
// JSON or of the output of a template.
//
// # Body
//
// The body is a document of schema 1. Later versions may add members and remove none:
//
//	{
//	  "schema": 1,
//	  "id": "20260301T120000-5f2c/ops/1",   the same for every attempt
//	  "kind": "fired",                      fired, developed, reminder, resolved or deployment
//	  "receiver": "ops",
//	  "at": "2026-03-01T12:00:02Z",         times are RFC 3339 in UTC, or "" if unset
//	  "incident": {
//	    "id", "cluster", "clusters", "state", "severity", "code", "summary", "remedy",
//	    "started", "fired", "ended", "duration_ms", "flapping", "merged_into",
//	    "affected": {"share", "of"},        of clients; omitted without an estimate
//	    "acknowledged": {"at", "author", "note"}, omitted while nobody takes care of it
//	    "findings": [{"cluster", "code", "severity", "node", "nodes", "dependency", "target", "summary",
//	                  "remedy", "evidence", "key", "explained_by", "affected", "since", "ended"}],
//	    "findings_omitted": 0               the number beyond the first 50
//	  },
//	  "deployment": null,                   of kind deployment: {"id", "cluster", "name", "from", "to", "nodes",
//	                                        "sessions_moved", "sessions_lost", "longest_outage_ms", "active": findings}
//	  "news": [{"at", "kind", "cluster", "finding", "text", "reason"}],
//	  "message": {"headline", "text", "links": [{"text", "url"}]}
//	}
//
// A document of kind deployment is the summary of an announced deployment, sent once;
// its incident has the cluster and the time, and one finding without a code: the
// summary. The members of incident and news are those of /api/v1/incidents. The
// message has the same information as text in the configured language.
//
// # Signature
//
// With a secret, the header X-Stickwatch-Signature is "sha256=" and, in
// hexadecimal, the HMAC-SHA256 under the secret of the header
// X-Stickwatch-Timestamp (seconds since 1970), a dot, and the body. Receivers
// should also refuse timestamps that are older than a few minutes.
//
// # Duplicates
//
// A document is sent at least once, because a response may be lost. The header
// Idempotency-Key is the ID of the document, by which receivers can detect
// duplicates. Any status from 200 to 299 means success.
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

// Config configures a Webhook.
type Config struct {
	URL         *url.URL
	Secret      alerting.Secret // signs requests; nil or empty: they are not signed
	Template    string          // a text/template of the body, see New; "": the document as JSON
	ContentType string          // of the output of Template; "": application/json if it is JSON, else text/plain
	Writer      message.Writer  // creates the texts in the document
	Client      *http.Client    // nil: one with timeouts
}

// A Webhook sends notifications to a URL.
type Webhook struct {
	endpoint post.Endpoint
	key      []byte
	body     *body
	writer   message.Writer
}

// New returns a Webhook. It sends no request.
//
// A template uses the names of the members of the document ({{.incident.cluster}})
// and the function json, which encodes a value as JSON, including quotes:
//
//	{"text": {{json .message.text}}}
//
// New tests the template: it returns an error if the template does not parse or uses
// an unknown member.
func New(c Config) (*Webhook, error) {
	if c.URL == nil || c.URL.Host == "" {
		return nil, errors.New("parsing the webhook URL: it has no host")
	}
	body, err := newBody(c.Template, c.ContentType)
	if err != nil {
		return nil, err
	}
	w := &Webhook{endpoint: post.Endpoint{Client: post.Client(c.Client), URL: c.URL}, body: body, writer: c.Writer}
	if c.Secret != nil {
		w.key = []byte(c.Secret.Reveal())
	}
	return w, nil
}

// Notify sends a notification. It returns no thread.
func (w *Webhook) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	content, err := w.body.render(documentOf(n, w.writer.Write(n)))
	if err != nil {
		return alerting.DeliveryRef{}, alerting.Permanent{Err: fmt.Errorf("rendering notification %q: %w", n.ID, err)}
	}
	header := http.Header{}
	header.Set("Content-Type", w.body.contentType)
	header.Set("Idempotency-Key", probes.Clean(n.ID, maxText))
	if len(w.key) > 0 {
		sign(header, w.key, time.Now(), content)
	}
	return alerting.DeliveryRef{}, w.endpoint.Post(ctx, header, content)
}

// sign adds the time and the signature of a request. The signature covers the time,
// so that a recorded request cannot be replayed later.
func sign(h http.Header, key []byte, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	h.Set("X-Stickwatch-Timestamp", timestamp)
	h.Set("X-Stickwatch-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}
