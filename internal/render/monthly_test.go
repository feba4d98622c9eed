package render

import (
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/monthly"
	"stickwatch/internal/must"
)

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
