package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"text/template"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// maxBody bounds the output of a template in bytes.
const maxBody = 1 << 20

// errTooLong stops a template whose output exceeds maxBody.
var errTooLong = fmt.Errorf("the output of the template exceeds %d bytes", maxBody)

// A body renders the bodies of requests.
type body struct {
	template    *template.Template // nil: the document as JSON
	contentType string
}

// newBody parses a template and tests it with documents that have different fields.
func newBody(text, contentType string) (*body, error) {
	const plain = "text/plain; charset=utf-8"
	if text == "" {
		return &body{contentType: "application/json"}, nil
	}
	if kind, _, err := mime.ParseMediaType(contentType); contentType != "" && (err != nil || kind == "text/html") {
		return nil, fmt.Errorf("reading the content type %q: want anything but HTML, because texts are not escaped for it", contentType)
	}
	asJSON := func(v any) (string, error) {
		encoded, err := post.JSON(v)
		return string(encoded), err
	}
	parsed, err := template.New("webhook").Option("missingkey=error").Funcs(template.FuncMap{"json": asJSON}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parsing the webhook template: %w", err)
	}
	b := &body{parsed, contentType}
	isJSON := true
	for _, n := range samples() {
		rendered, err := b.render(documentOf(n, message.Writer{}.Write(n)))
		if err != nil {
			return nil, fmt.Errorf("testing the webhook template: %w", err)
		}
		isJSON = isJSON && json.Valid(rendered)
	}
	switch {
	case b.contentType != "":
	case isJSON:
		b.contentType = "application/json"
	default:
		b.contentType = plain
	}
	return b, nil
}

// samples returns the notifications with which templates are tested: a minimal one, one with more
// fields, and the summary of a deployment.
func samples() []alerting.Notification {
	notification := func(findings, news int) alerting.Notification {
		return alerting.Notification{
			Incident: alerting.Incident{Findings: make([]alerting.Member, findings)},
			News:     make([]alerting.Event, news),
		}
	}
	deployment := notification(1, 0)
	deployment.Kind, deployment.Deployment = alerting.NotificationDeployment, new(alerting.Summary)
	return []alerting.Notification{notification(1, 0), notification(2, 2), deployment}
}

// render returns the bytes to send.
func (b *body) render(d document) ([]byte, error) {
	encoded, err := post.JSON(d)
	if b.template == nil || err != nil {
		return encoded, err
	}
	// A template refers to fields by their names in JSON.
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber() // or 17999000 would become 1.7999e+07
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	var out bounded
	if err := b.template.Execute(&out, fields); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// bounded is a buffer with at most maxBody bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxBody {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}
