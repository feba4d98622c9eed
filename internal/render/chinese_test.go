package render

import (
	"bytes"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/internal/phrase/latin"
	"stickwatch/internal/postmortem"
	"stickwatch/internal/wire"
)

// shanghai is a reader of Chinese in another zone than that of the fixtures.
var shanghai = phrase.Reader{Language: checks.Chinese, Zone: time.FixedZone("CST", 8*60*60)}

// TestChinese: what is not quoted from a target is in Chinese, and times are in the zone of the
// reader. The daemon's TestChinese does this with real reports.
func TestChinese(t *testing.T) {
	wantChinese := func(name, text string, quoted ...string) {
		t.Helper()
		if words := latin.Words(ansi.Strip(text), quoted...); len(words) > 0 {
			t.Errorf("%s: %q in\n%s", name, words, text)
		}
		golden(t, name, text)
	}
	for name, format := range map[string]string{"rolling_restart.zh.table": "table", "rolling_restart.zh.markdown": "markdown"} {
		r, opts := rollingRestart()
		opts.Reader = shanghai
		wantChinese(name, rendered(t, format, r, opts), "haproxy stats", "says node2 is draining: DRAIN", "connection refused", "shop", "Redis Server", "DB Service", "text", "running", "http")
	}

	var list bytes.Buffer
	silences := []wire.Silence{
		{ID: "ca3kq7d2m4xy", To: wire.TimestampOf(testTime.Add(time.Hour)), From: wire.TimestampOf(testTime), Active: true, Author: "li"},
		{ID: "ca3kq7d2m4xz", To: wire.TimestampOf(testTime.Add(50 * time.Hour)), From: wire.TimestampOf(testTime.Add(48 * time.Hour)), Code: checks.Slow},
	}
	must.Succeed(t, Silences(&list, "table", silences, testTime, Options{Reader: shanghai}))
	wantChinese("silences.zh.table", list.String(), "li", "slow", "ca3kq7d2m4xy", "ca3kq7d2m4xz")

	var past bytes.Buffer
	history := exampleHistory()
	must.Succeed(t, History(&past, "table", []ClusterHistory{history}, history.Span, testTime, Options{Reader: shanghai}))
	quoted := []string{"shop", "portal", "collab", "slow", "Redis Server", "DB Service"}
	for _, move := range history.Moves {
		quoted = append(quoted, move.Cause.String())
	}
	wantChinese("history.zh.table", past.String(), quoted...)

	var one bytes.Buffer
	incident := redisIncident()
	for _, m := range incident.Findings {
		quoted = append(quoted, m.Summary.String(), m.Remedy.String())
		for _, e := range m.Evidence {
			quoted = append(quoted, e.String())
		}
	}
	d := postmortem.Document{Incident: incident, Language: alerting.Chinese, Zone: shanghai.Zone, Now: testTime}
	must.Succeed(t, Incident(&one, "table", d, Options{Reader: shanghai, Width: 132}))
	wantChinese("incident.zh.table", one.String(), quoted...)
}
