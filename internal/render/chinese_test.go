package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/monthly"
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
	must.Succeed(t, History(&past, "table", []ClusterHistory{history}, exampleSpan, testTime, Options{Reader: shanghai}))
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

// TestMonth: names from outside neither break a table nor become markup or a formula.
func TestMonth(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	r := monthly.Report{
		Span: checks.Span{From: from, To: from.AddDate(0, 1, 0)}, Until: from.AddDate(0, 1, 0), Target: 0.999,
		Clusters: []monthly.Cluster{{
			Name: "=shop|@all", Days: 30, Covered: 30,
			Sessions: checks.Uptime{Probes: 1000, Failed: 2, Ratio: 0.998, Longest: time.Minute},
			Deployments: []monthly.Deployment{
				{Deployment: checks.Deployment{Name: "<b>1.2</b>", Span: checks.Span{From: from, To: from.Add(time.Minute)}}},
				{Deployment: checks.Deployment{Name: "＝1+1", Span: checks.Span{From: from, To: from.Add(time.Minute)}}},
			},
		}},
	}
	for format, want := range map[string][]string{
		"markdown": {"# Availability in 2026-11\n", `| =shop\|@&#8203;all | 99.8 % | missed |`, "&lt;b&gt;1.2&lt;/b&gt;"},
		"html":     {"<!doctype html>", "<td>=shop|@all</td><td>99.8 %</td>", "&lt;b&gt;1.2&lt;/b&gt;", "</html>\n"},
		"csv":      {"Availability in 2026-11\n", "\n\nClusters\nCluster,Sessions,", "'=shop|@all,99.8 %,missed,", ",'＝1+1,"},
		"json":     {`"month": "2026-11"`, `"target_met": false`, `"days_with_data": 30`},
	} {
		var b strings.Builder
		must.Succeed(t, Month(&b, format, r, alerting.English, r.To))
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s lacks %q:\n%s", format, text, b.String())
			}
		}
	}
}
