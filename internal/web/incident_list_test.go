package web

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// withDeployment returns a daemon with an incident of shop that a deployment explains, and
// one of portal.
func withDeployment(others ...*fakeCluster) *fakeDaemon {
	d := newFakeDaemon(append([]*fakeCluster{redisDown("shop"), nodeDown("portal", 3)}, others...)...)
	shop := d.fakeClusters[0]
	i := &shop.incidents[0]
	from := i.Started.Add(-time.Minute)
	shop.deployments = []checks.Deployment{
		{Cluster: "shop", Name: "11.5", Span: checks.Span{From: from.Add(-time.Hour), To: from.Add(-50 * time.Minute)}},
		{Cluster: "shop", Name: "11.5", Span: checks.Span{From: from, To: from.Add(5 * time.Minute)}},
	}
	i.Timeline = append(i.Timeline, alerting.Event{At: i.Started, Kind: alerting.EventSilenced, Reason: alerting.ReasonDeployment, Detail: "deployment 11.5"})
	i.Acknowledged = alerting.Acknowledgement{At: testTime, By: "=li", Note: "滚动重启"}
	return d
}

// TestIncidentList: the list is filtered by each parameter, and a deployment is one entry
// with the incidents that it explains.
func TestIncidentList(t *testing.T) {
	s := withDeployment().server(t)
	heads := regexp.MustCompile(`<th scope="row(?:group)?">(?:<a[^>]*>)?([^<]*)`)
	const redis, down = "Redis Server is down; node1, node2 and node3 say so", "node2 does not answer: connection refused"
	const deployment, old = "deployment 11.5 ", "deployment 11.4.1 "
	for query, want := range map[string][]string{
		"":                                 {deployment, redis, down, deployment, down, old},
		"?state=ongoing&severity=critical": {deployment, redis, down},
		"?code=dependency_down":            {deployment, redis},
		"?cluster=portal&state=resolved":   {down},
		"?cluster=portal&since=24h":        {down, down, old},
		"?state=recovering":                nil,
		"?severity=&code=&state=&since=1h": {deployment, redis, down},
	} {
		var got []string
		for _, m := range heads.FindAllStringSubmatch(getPage(s, "/incidents"+query).Body.String(), -1) {
			got = append(got, m[1])
		}
		expect.Equal(t, fmt.Sprintf("%q", query), want, got)
	}
	expect.Equal(t, "an unknown code", 400, getPage(s, "/incidents?code=nothing").Code)
}

// TestIncidentListReads: the moves of a deployment are counted only if the page shows it.
func TestIncidentListReads(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	for n := range 3 * maxListed {
		from := testTime.Add(-time.Duration(n+1) * time.Hour)
		d.began = append([]checks.Deployment{{Cluster: "shop", Name: "11.5", Span: checks.Span{From: from, To: from.Add(time.Minute)}}}, d.began...)
	}
	page := getPage(d.server(t), "/incidents").Body.String()
	if got := strings.Count(page, "deployment 11.5"); got != maxListed || d.counted != maxListed {
		t.Errorf("got %d deployments and %d counts, want %d", got, d.counted, maxListed)
	}
}

// TestIncidentsCSV: the export has the selected incidents in the language of the page. Excel
// reads it as UTF-8, and no cell is a formula.
func TestIncidentsCSV(t *testing.T) {
	s := withDeployment().server(t)
	got := send(s, "GET", "/incidents.csv?lang=zh&cluster=shop&state=ongoing", "")
	text, marked := strings.CutPrefix(got.Body.String(), "\ufeff")
	if !marked || got.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("got %q, %.20q", got.Header().Get("Content-Type"), got.Body)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %q, %v", rows, err)
	}
	if rows[0][3] != "状态" || rows[1][3] != "未恢复" || rows[1][10] != "'=li" || rows[1][12] != "滚动重启" {
		t.Errorf("got %q", rows)
	}
	if page := getPage(s, "/incidents?lang=zh&cluster=shop").Body.String(); !strings.Contains(page, `href="/incidents.csv?cluster=shop"`) {
		t.Error("the page has no link to the export of what it lists")
	}
}

// TestPostmortem: the page of an incident links its post-mortem in the language of the page.
func TestPostmortem(t *testing.T) {
	d := withDeployment()
	s := d.server(t)
	link := "/incidents/" + d.fakeClusters[0].incidents[0].ID + ".md"
	if !strings.Contains(getPage(s, strings.TrimSuffix(link, ".md")).Body.String(), `href="`+link+`"`) {
		t.Error("the page has no link to the post-mortem")
	}
	for language, words := range map[string]string{"en": "| Deployment | 11.5, ", "zh": "| 发布 | 11.5，"} {
		got := send(s, "GET", link+"?lang="+language, "")
		if got.Header().Get("Content-Type") != "text/markdown; charset=utf-8" || !strings.Contains(got.Body.String(), words) {
			t.Errorf("%s: got %s:\n%s", language, got.Header().Get("Content-Type"), got.Body)
		}
	}
	expect.Equal(t, "an unknown incident", 404, getPage(s, "/incidents/nosuch.md").Code)
}
