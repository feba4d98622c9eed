package message_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// TestPlain compares messages with the golden files.
func TestPlain(t *testing.T) {
	for language, w := range writers() {
		for name, n := range map[string]alerting.Notification{
			"fired": example.Fired(), "developed": example.Developed(), "reminder": example.Reminder(), "resolved": example.Resolved(),
			"acknowledged": example.Acknowledged(), "deployment": example.Deployment(), "machine": example.Machine(),
			"nodes": example.Nodes(), "nodes_developed": example.NodesDeveloped(), "nodes_resolved": example.NodesResolved(),
		} {
			t.Run(language+" "+name, func(t *testing.T) {
				expect.Golden(t, "testdata/"+language+"_"+name+".txt", w.Write(n).Plain()+"\n")
			})
		}
	}
}

// TestHostile: for any text from a target, a message has a bounded number of bounded,
// clean lines.
func TestHostile(t *testing.T) {
	text := writers()["en"].Write(example.Hostile()).Plain()
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\u202e\r") {
		t.Errorf("got control characters in %.500q", text)
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 60 {
		t.Errorf("got %d lines, want at most 60", len(lines))
	}
	for _, line := range lines {
		if len(line) > 2000 {
			t.Errorf("got a line of %d bytes: %.100q", len(line), line)
		}
	}
}

// TestAlone: a notification that an instance of a fleet sends by itself says so.
func TestAlone(t *testing.T) {
	n := example.Fired()
	n.Alone = "mon1"
	for language, want := range map[string]string{"en": "mon1, which cannot reach the fleet's database", "zh": "mon1，它无法连接 fleet 的数据库"} {
		if text := writers()[language].Write(n).Plain(); !strings.Contains(text, want) {
			t.Errorf("got no %q in\n%s", want, text)
		}
	}
}

func TestZeroWriter(t *testing.T) {
	m := message.Writer{}.Write(alerting.Notification{Kind: alerting.NotificationFired})
	expect.Equal(t, "the headline of an empty notification", "[] stickwatch: ?", m.Headline)
	if len(m.Links) != 0 {
		t.Errorf("got links %v, want none", m.Links)
	}
}

func writers() map[string]message.Writer {
	page := &url.URL{Scheme: "https", Host: "stickwatch.example", Path: "/"}
	grafana := &url.URL{Scheme: "https", Host: "grafana.example", Path: "/d/stickwatch", RawQuery: "orgId=1"}
	return map[string]message.Writer{
		"en": {Page: page, Grafana: grafana},
		"zh": {Language: alerting.Chinese, Page: page, Zone: time.FixedZone("CST", 8*60*60)},
	}
}

// TestOneZone: every time of a message is in the zone of the Writer, whatever it is part
// of, and lines with times say which zone that is.
func TestOneZone(t *testing.T) {
	remapped := checks.Message{ID: checks.MsgRemapped, Args: checks.Args{
		Count: 3, Of: 9, At: example.Start, Why: &checks.Message{ID: checks.MsgExchange, Args: checks.Args{Status: 502, At: example.Start}},
	}}
	n := example.Resolved()
	n.Incident.Cause.Summary = remapped
	for i := range n.Incident.Findings {
		n.Incident.Findings[i].Summary = remapped
		n.Incident.Findings[i].Evidence = []checks.Message{remapped}
	}
	n.Incident.Acknowledged = alerting.Acknowledgement{At: example.Start, By: "li"}
	n.News = []alerting.Event{{At: example.Start, Kind: alerting.EventReturned, Finding: "balancer_remapped", Text: remapped.String(), Summary: remapped}}
	n.Incident.Started, n.Incident.Ended = example.Start, example.Start.Add(time.Minute)
	for language, w := range writers() {
		w.Zone = time.FixedZone("CST", 8*60*60)
		text := w.Write(n).Plain()
		if strings.Contains(text, "12:0") || strings.Contains(text, "UTC") || strings.Count(text, "20:0") < 6 {
			t.Errorf("%s: got times in another zone:\n%s", language, text)
		}
		for _, label := range []string{"Evidence (CST):", "What happened (CST):"} {
			if language == "en" && !strings.Contains(text, label) {
				t.Errorf("got no %q in\n%s", label, text)
			}
		}
	}
}
