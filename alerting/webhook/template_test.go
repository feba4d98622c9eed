package webhook_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/webhook"
	"stickwatch/internal/expect"
)

func TestTemplate(t *testing.T) {
	for name, tt := range map[string]struct {
		template, contentType string
		want, wantType        string
	}{
		"text":      {"{{.message.headline}}", "", "[Critical] shop: Dependency down", "text/plain; charset=utf-8"},
		"of a type": {"{{.id}}", "text/csv", "20260301T120000-5f2c/ops/2", "text/csv"},
		"JSON": {
			`{"text": {{json .message.headline}}, "up": {{eq .incident.state "resolved"}}, "ms": {{.incident.duration_ms}}}`, "",
			`{"text": "[Critical] shop: Dependency down", "up": false, "ms": 40000}`, "application/json",
		},
		"not escaped": {
			"{{(index .incident.findings 0).severity}} < & > {{json \"<>\"}}", "",
			`critical < & > "<>"`, "text/plain; charset=utf-8",
		},
		"lists": {
			`{{range .incident.findings}}{{.key}}{{if .ended}} (over){{end}}, {{end}}{{range .news}}{{.kind}} {{end}}`, "",
			"dependency_down/Redis Server, node_paused/node1 (over), node_paused/node2, node_paused/node3, joined left ", "text/plain; charset=utf-8",
		},
		"the document itself": {`{{json .news}}`, "", `[` +
			`{"at":"2026-03-01T12:00:20Z","cluster":"","finding":"node_paused/node3","kind":"joined","reason":"same_cause","text":"node3 says that it is paused: Redis Server is not available"},` +
			`{"at":"2026-03-01T12:00:30Z","cluster":"","finding":"node_paused/node1","kind":"left","reason":"gone","text":"node1 says that it is paused: Redis Server is not available"}]`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			address, got := receiver(t)
			w := newHook(t, webhook.Config{URL: address, Template: tt.template, ContentType: tt.contentType})
			if _, err := w.Notify(t.Context(), example.Developed()); err != nil {
				t.Fatal(err)
			}
			r := (*got)[0]
			expect.Equal(t, "body and type", []string{tt.want, tt.wantType}, []string{string(r.body), r.header.Get("Content-Type")})
		})
	}
}

// TestBadConfig: New returns an error for an invalid configuration.
func TestBadConfig(t *testing.T) {
	address := &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/hidden"}
	for name, tt := range map[string]struct {
		config webhook.Config
		want   string
	}{
		"no address":       {webhook.Config{}, "parsing the webhook URL: it has no host"},
		"no host":          {webhook.Config{URL: &url.URL{Path: "/hidden"}}, "parsing the webhook URL: it has no host"},
		"syntax":           {webhook.Config{URL: address, Template: "{{"}, "parsing the webhook template: template: webhook:1: unclosed action"},
		"unknown function": {webhook.Config{URL: address, Template: "{{html .id}}{{exec .id}}"}, `parsing the webhook template: template: webhook:1: function "exec" not defined`},
		"no such member": {
			webhook.Config{URL: address, Template: "{{.incident.claster}}"},
			`testing the webhook template: template: webhook:1:11: executing "webhook" at <.incident.claster>: map has no entry for key "claster"`,
		},
		"what some lack": {
			webhook.Config{URL: address, Template: "{{(index .news 0).text}}"},
			`testing the webhook template: template: webhook:1:3: executing "webhook" at <index .news 0>: error calling index: reflect: slice index out of range`,
		},
		"HTML":       {webhook.Config{URL: address, Template: "{{.id}}", ContentType: "text/html; charset=utf-8"}, `reading the content type "text/html; charset=utf-8": want anything but HTML, because texts are not escaped for it`},
		"no type":    {webhook.Config{URL: address, Template: "{{.id}}", ContentType: "text/"}, `reading the content type "text/": want anything but HTML, because texts are not escaped for it`},
		"no bottom":  {webhook.Config{URL: address, Template: `{{printf "%2000000d" 1}}`}, "testing the webhook template: the output of the template exceeds 1048576 bytes"},
		"a bad call": {webhook.Config{URL: address, Template: "{{len .id 1}}"}, `testing the webhook template: template: webhook:1:2: executing "webhook" at <len>: wrong number of args for len: want 1 got 2`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhook.New(tt.config)
			got := ""
			if err != nil {
				got = err.Error()
			}
			expect.Equal(t, "error", tt.want, got)
		})
	}
}

// TestTemplateThatFails: a template that fails for a notification is a permanent
// error.
func TestTemplateThatFails(t *testing.T) {
	address, got := receiver(t)
	w := newHook(t, webhook.Config{URL: address, Template: `{{if eq .kind "fired"}}{{.nothing}}{{end}}`})
	_, err := w.Notify(t.Context(), example.Fired())
	if _, ok := errors.AsType[alerting.Permanent](err); !ok || !strings.Contains(err.Error(), `rendering notification "20260301T120000-5f2c/ops/1"`) {
		t.Errorf("got error %v, want a permanent one", err)
	}
	if _, err := w.Notify(t.Context(), example.Resolved()); err != nil || len(*got) != 1 {
		t.Errorf("got error %v and %d requests, want none and 1", err, len(*got))
	}
}
