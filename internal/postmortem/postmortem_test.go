package postmortem

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

var began = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

func document(language alerting.Language) Document {
	cause := checks.Finding{
		Code: checks.NodeDown, Severity: checks.Critical, Node: "node|1 @all",
		Summary:  checks.Message{ID: checks.MsgExchange, Args: checks.Args{Status: 502, At: began}},
		Remedy:   checks.Quote("start it"),
		Evidence: []checks.Message{{ID: checks.MsgExchange, Args: checks.Args{Status: 502, At: began}}},
	}
	i := alerting.Incident{
		ID: "20260314T090000250-1a2b3c4d", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Severity: checks.Critical,
		Cause: cause, Started: began, Fired: began.Add(time.Minute), Ended: began.Add(5 * time.Minute),
		Findings:     []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: cause, Since: began}, Cluster: "shop", Ended: began.Add(5 * time.Minute)}},
		Acknowledged: alerting.Acknowledgement{At: began.Add(2 * time.Minute), By: "li", Note: "on it"},
		Timeline: []alerting.Event{
			{At: began, Kind: alerting.EventSilenced, Reason: alerting.ReasonDeployment, Detail: "deployment 11.5", Text: "deployment 11.5"},
			alerting.NewNote(began.Add(time.Hour), "li", "disk <b>full</b>"),
		},
	}
	return Document{
		Incident: i, Language: language, Zone: time.FixedZone("CST", 8*60*60), Now: began.Add(2 * time.Hour), Page: "https://watch.example/incidents/" + i.ID,
		Deployments: []checks.Deployment{{Cluster: "shop", Name: "11.5", Span: checks.Span{From: began.Add(-time.Minute)}}},
	}
}

// TestMarkdown: the document has all facts in one zone, and shows what targets and people
// wrote literally.
func TestMarkdown(t *testing.T) {
	for language, want := range map[alerting.Language][]string{
		alerting.English: {
			"| State | resolved |", "| Cause | Node down `node_down` |", "| Began | 2026-03-14 17:00:00 CST |", "| Lasted | 5m0s |",
			"| Acknowledged | li, 2026-03-14 17:02:00 CST: on it |", "| Deployment | 11.5, 2026-03-14 16:59:00 CST |",
			"| Page | <https://watch.example/incidents/20260314T090000250-1a2b3c4d> |",
			"## Timeline (CST)", "| 18:00:00 | note by li: disk &lt;b&gt;full&lt;/b&gt; |", "**Remedy**: start it", "## Follow-ups",
		},
		alerting.Chinese: {
			"| 状态 | 已恢复 |", "| 原因 | 节点不可用 `node_down` |", "| 认领 | li，2026-03-14 17:02:00 CST：on it |", "## 经过 (CST)",
			"| 18:00:00 | 备注：li：disk &lt;b&gt;full&lt;/b&gt; |", "## 后续措施",
		},
	} {
		text := document(language).Markdown()
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("%s: got no %q in\n%s", language, line, text)
			}
		}
		if strings.Contains(text, "09:0") {
			t.Errorf("%s: got times in another zone:\n%s", language, text)
		}
	}
}

// TestLabels: every label exists in both languages.
func TestLabels(t *testing.T) {
	english, chinese := reflect.ValueOf(labelsIn[false]), reflect.ValueOf(labelsIn[true])
	for n := range english.NumField() {
		if english.Field(n).IsZero() || chinese.Field(n).IsZero() {
			t.Errorf("%s is missing", english.Type().Field(n).Name)
		}
	}
}
