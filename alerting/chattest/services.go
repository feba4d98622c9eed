package chattest

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// telegram is a stub of the Bot API: https://core.telegram.org/bots/api#sendmessage.
var telegram = api{
	perMinute: 20, // in a group
	limited:   Answer(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 41","parameters":{"retry_after":41}}`),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var m struct {
			Chat    string `json:"chat_id"`
			Thread  int    `json:"message_thread_id"`
			Text    string
			Mode    string `json:"parse_mode"`
			Silent  bool   `json:"disable_notification"`
			Preview struct {
				Disabled bool `json:"is_disabled"`
			} `json:"link_preview_options"`
		}
		bad := func(why string) parsed {
			return parsed{refused: Answer(400, fmt.Sprintf(`{"ok":false,"error_code":400,"description":"Bad Request: %s"}`, why))}
		}
		switch {
		case r.URL.Path != "/bot123456789:"+Token+"/sendMessage":
			return parsed{refused: Answer(401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`)}
		case !decode(body, &m) || m.Mode != "HTML":
			return bad("can't parse the request")
		case m.Chat != "-100123":
			return bad("chat not found")
		}
		shown, ok := htmlText(m.Text)
		switch {
		case !ok:
			return bad("can't parse entities: unsupported start tag")
		case len(utf16.Encode([]rune(shown))) > 4096:
			return bad("message is too long")
		case strings.TrimSpace(shown) == "":
			return bad("message text is empty")
		}
		return parsed{text: shown, pages: found(`(?:^|\W)@(\w{3,})`, shown), answer: Answer(200, `{"ok":true,"result":{"message_id":1}}`)}
	},
}

var tag = regexp.MustCompile(`</?b>|</a>|<a href="[^"<>]*">`)

// htmlText returns text without the tags that Telegram knows; false if others remain.
func htmlText(text string) (shown string, ok bool) {
	text = tag.ReplaceAllString(text, "")
	return html.UnescapeString(text), !strings.ContainsAny(text, "<>")
}

// mattermost is a stub of an incoming webhook.
var mattermost = api{
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var m struct {
			Text, Username, Channel string
			IconURL                 string `json:"icon_url"`
			Icon                    string `json:"icon_emoji"`
		}
		bad := func(id string) parsed {
			return parsed{refused: Answer(400, fmt.Sprintf(`{"id":%q,"message":"no","detailed_error":"","request_id":"x","status_code":400}`, id))}
		}
		switch {
		case r.URL.Path != "/hooks/"+Token:
			return bad("web.incoming_webhook.invalid.app_error")
		case !decode(body, &m):
			return bad("web.incoming_webhook.parse.app_error")
		case m.Text == "", utf8.RuneCountInString(m.Text) > 16383:
			return bad("web.incoming_webhook.text.app_error")
		}
		return parsed{text: m.Text, pages: found(`(?:^|\W)@(\w+)`, m.Text), answer: Answer(200, "ok")}
	},
}

// teams is a stub of an incoming webhook.
var teams = api{
	perMinute: 4 * 60,
	limited:   Answer(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=1"),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var m struct {
			Type                 string `json:"@type"`
			Context              string `json:"@context"`
			ThemeColor           string
			Title, Summary, Text string
			PotentialAction      []struct {
				Type    string `json:"@type"`
				Name    string
				Targets []struct{ OS, URI string }
			}
		}
		switch {
		case r.URL.Path != "/webhookb2/group@tenant/IncomingWebhook/"+Token+"/owner/extra":
			return parsed{refused: http.NotFound}
		case len(body) > 28<<10:
			return parsed{refused: Answer(413, "too large")}
		case !decode(body, &m), m.Type != "MessageCard", m.Summary == "":
			return parsed{refused: Answer(400, "Summary or Text is required.")}
		}
		return parsed{text: m.Title + "\n" + m.Text + links(len(m.PotentialAction), func(i int) string { return m.PotentialAction[i].Targets[0].URI }), pages: found(`<at>([^<]+)</at>`, m.Text), answer: Answer(200, "1")}
	},
}

// ntfy is a stub of a topic that requires a password.
var ntfy = api{
	perMinute: 60,
	limited:   Answer(429, `{"code":42901,"http":429,"error":"limit reached: too many requests","link":"https://ntfy.sh/docs/publish/#limitations"}`),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var m struct {
			Topic, Title, Message, Click string
			Priority                     int
			Tags                         []string
			Actions                      []struct{ Action, Label, URL string }
		}
		switch {
		case r.Header.Get("Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("watch:"+Token)):
			return parsed{refused: Answer(401, `{"code":40101,"http":401,"error":"unauthorized"}`)}
		case r.URL.Path != "/" || !decode(body, &m) || m.Topic != "ops" || m.Priority < 1 || m.Priority > 5 || len(m.Actions) > 3:
			return parsed{refused: Answer(400, `{"code":40024,"http":400,"error":"invalid request"}`)}
		case len(m.Message) > 4096:
			return parsed{refused: Answer(413, `{"code":41301,"http":413,"error":"attachment too large"}`)}
		}
		return parsed{text: m.Title + "\n" + m.Message + links(len(m.Actions), func(i int) string { return m.Actions[i].URL }), answer: Answer(200, `{"id":"xE73Iyuabi","event":"message","topic":"ops"}`)}
	},
}

func links(n int, of func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("\n" + of(i))
	}
	return b.String()
}

// pagerDuty is a stub of the Events API v2.
var pagerDuty = api{
	perMinute: 120,
	limited:   Answer(429, ""),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var m struct {
			Key     string `json:"routing_key"`
			Action  string `json:"event_action"`
			Dedup   string `json:"dedup_key"`
			Client  string
			Payload struct {
				Summary, Source, Severity, Timestamp string
				Details                              map[string]string `json:"custom_details"`
			}
			Links []struct{ Href, Text string }
		}
		bad := func(why string) parsed {
			return parsed{refused: Answer(400, fmt.Sprintf(`{"status":"invalid event","message":"Event object is invalid","errors":[%q]}`, why))}
		}
		change := r.URL.Path == "/v2/change/enqueue"
		switch {
		case !change && r.URL.Path != "/v2/enqueue":
			return parsed{refused: http.NotFound}
		case !decode(body, &m) || len(body) > 512<<10:
			return bad("JSON")
		case m.Key != Token:
			return bad("Invalid routing key")
		case m.Payload.Summary == "" || utf8.RuneCountInString(m.Payload.Summary) > 1024:
			return bad("'payload.summary' is missing or too long")
		case !change && (m.Payload.Source == "" || len(m.Dedup) > 255 || !slices.Contains([]string{"trigger", "acknowledge", "resolve"}, m.Action)):
			return bad("'event_action' is invalid")
		case !change && !slices.Contains([]string{"critical", "error", "warning", "info"}, m.Payload.Severity):
			return bad("'payload.severity' is invalid")
		}
		return parsed{text: m.Payload.Summary + "\n" + m.Payload.Details["text"] + links(len(m.Links), func(i int) string { return m.Links[i].Href }), answer: Answer(202, `{"status":"success","message":"Event processed","dedup_key":"x"}`)}
	},
}

// opsgenie is a stub of the Alert API.
var opsgenie = api{
	perMinute: 600,
	limited:   Answer(429, `{"message":"You are making too many requests!","took":0.1,"requestId":"r"}`),
	parse: func(_ *Server, r *http.Request, body []byte) parsed {
		var alert struct {
			Message, Alias, Description, Priority, Source, Entity string
			Tags                                                  []string
		}
		var update struct{ Source, Note string } // of an alert: its acknowledgement or its end
		accepted := Answer(202, `{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}`)
		bad := parsed{refused: Answer(422, `{"message":"Request body is not processable. Please check the errors.","took":0.1,"requestId":"r"}`)}
		switch {
		case r.Header.Get("Authorization") != "GenieKey "+Token:
			return parsed{refused: Answer(422, `{"message":"Key format is not valid!","took":0.0,"requestId":"r"}`)}
		case (strings.HasSuffix(r.URL.Path, "/close") || strings.HasSuffix(r.URL.Path, "/acknowledge")) && r.URL.Query().Get("identifierType") == "alias":
			if !decode(body, &update) || utf8.RuneCountInString(update.Note) > 25_000 {
				return bad
			}
			return parsed{text: update.Note, answer: accepted}
		case r.URL.Path != "/v2/alerts":
			return parsed{refused: http.NotFound}
		case !decode(body, &alert), alert.Message == "", utf8.RuneCountInString(alert.Message) > 130, len(alert.Alias) > 512,
			utf8.RuneCountInString(alert.Description) > 15_000, !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, alert.Priority):
			return bad
		}
		return parsed{text: alert.Message + "\n" + alert.Description, answer: accepted}
	},
}
