package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/wire"
)

// withFullDisk returns a server whose history cannot be written. Since then, one incident
// began, one of shop ended, and one of portal flaps.
func withFullDisk(t *testing.T) *Server {
	d := newFakeDaemon(redisDown("shop"), nodeDown("portal", 3))
	flaps := d.fakeClusters[1].incidents[0]
	flaps.Flapping = true
	fresh := flaps
	fresh.ID, fresh.Started, fresh.State = "20260314T120301000-fresh", testTime.Add(-10*time.Second), alerting.Pending
	return d.server(t, func(c *Config) {
		c.OpenIncidents = func() ([]alerting.Incident, bool) { return []alerting.Incident{flaps, fresh}, true }
	})
}

func TestUnwrittenIncidents(t *testing.T) {
	s := withFullDisk(t)
	const fresh, flaps = "20260314T120301000-fresh", "20260314T114111000-portal flaps"
	const ended, over = "20260314T115811000-shop", "20260314T080311000-portal-over"
	for query, want := range map[string][]string{
		"":                           {fresh, ended, flaps, over},
		"?limit=1":                   {fresh},
		"?limit=3":                   {fresh, ended, flaps},
		"?cluster=portal":            {fresh, flaps, over},
		"?cluster=shop":              {ended},
		"?since=1h":                  {fresh, ended, flaps},
		"?until=1m":                  {ended, flaps, over},
		"?state=pending":             {fresh},
		"?state=firing":              {flaps},
		"?state=firing&cluster=shop": {},
		"?state=pending&until=1m":    {},
		"?state=resolved":            {over},
		"?state=firing&until=10m":    {flaps},
		"?cluster=portal&since=10m":  {fresh, flaps},
	} {
		got := []string{}
		for _, i := range decoded[wireIncidents](t, send(s, "GET", "/api/v1/incidents"+query, "")).Incidents {
			if i.Flapping && !strings.HasSuffix(i.ID, "fresh") {
				i.ID += " flaps"
			}
			got = append(got, i.ID)
		}
		expect.Equal(t, fmt.Sprintf("%q", query), want, got)
	}
}

// TestUnwrittenInFleet: while an instance cannot write, the stored incidents of the others are shown
// beside its own, which it knows better.
func TestUnwrittenInFleet(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"), nodeDown("portal", 3))
	others, own := d.fakeClusters[0].incidents[0], d.fakeClusters[1].incidents[0]
	fresh := own
	fresh.ID = "20260314T120301000-fresh"
	s := d.server(t, func(c *Config) {
		c.OpenIncidents = func() ([]alerting.Incident, bool) { return []alerting.Incident{fresh}, true }
		c.Handles = func(i alerting.Incident) bool { return i.Cluster == "portal" }
	})
	shown := func() (ids []string) {
		for _, i := range decoded[wireIncidents](t, send(s, "GET", "/api/v1/incidents?state=firing", "")).Incidents {
			ids = append(ids, i.ID)
		}
		slices.Sort(ids)
		return ids
	}
	if got, want := shown(), []string{others.ID, fresh.ID}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	d.broken = databaseAway{}
	if got, want := shown(), []string{fresh.ID}; !slices.Equal(got, want) {
		t.Errorf("got %q without the database, want %q", got, want)
	}
}

// TestPagesOfUnwrittenIncidents: every page shows the unwritten incidents.
func TestPagesOfUnwrittenIncidents(t *testing.T) {
	s := withFullDisk(t)
	for _, path := range []string{"/", "/incidents", "/clusters/portal", "/incidents/20260314T120301000-fresh", "/api/v1/incidents/20260314T120301000-fresh"} {
		got := send(s, "GET", path, "")
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "20260314T120301000-fresh") {
			t.Errorf("%s: got %d without the incident", path, got.Code)
		}
	}
	if got := send(s, "GET", "/clusters/shop", "").Body.String(); strings.Contains(got, `id="i-20260314T115811000-shop"`) {
		t.Error("an incident that is over is shown as open")
	}
}

// A databaseAway is the error of a history whose database does not answer.
type databaseAway struct{}

func (databaseAway) Error() string     { return "using \"postgres://db/stickwatch\": connection refused" }
func (databaseAway) Unavailable() bool { return true }

// TestDatabaseAway: while the database of the history is away, pages and API show the open incidents,
// and say why they do not have the others.
func TestDatabaseAway(t *testing.T) {
	daemon := newFakeDaemon(redisDown("shop"))
	open := daemon.fakeClusters[0].incidents[0]
	daemon.broken = fmt.Errorf("reading incidents: %w", databaseAway{})
	s := daemon.server(t, func(c *Config) {
		c.OpenIncidents = func() ([]alerting.Incident, bool) { return []alerting.Incident{open}, false }
	})
	for path, want := range map[string]int{
		"/": 200, "/clusters/shop": 200, "/incidents/" + open.ID: 200, "/incidents?state=ongoing": 503, "/incidents": 503,
		"/api/v1/incidents?state=ongoing": 200, "/api/v1/incidents?state=firing": 200, "/api/v1/incidents/" + open.ID: 200,
		"/api/v1/incidents": 503, "/api/v1/incidents?state=resolved": 503, "/api/v1/incidents/none": 503, "/api/v1/history?cluster=shop": 503, "/api/v1/silences": 503,
	} {
		got := send(s, "GET", path, "")
		text := got.Body.String()
		shown := open.ID
		if want == http.StatusServiceUnavailable {
			shown = "the database of the history is away"
		}
		if got.Code != want || !strings.Contains(text, shown) || strings.Contains(text, "postgres://") {
			t.Errorf("%s: got %d without %q, want %d", path, got.Code, shown, want)
		}
	}
}

// TestIncidentOfSeveralNodes: page and API name every node, in both languages, and do not show
// one finding as the consequence of another.
func TestIncidentOfSeveralNodes(t *testing.T) {
	down := healthyCluster("shop", 4)
	var findings []checks.Finding
	for _, id := range []string{"node1", "node4"} {
		findings = append(findings, checks.Finding{
			Code: checks.NodeDown, Severity: checks.Warning, Node: id, Nodes: []string{id},
			Summary: checks.Quote(id + " does not answer"), Remedy: checks.Quote("Start " + id + "."), Evidence: []checks.Message{checks.Quote("refused")},
		})
	}
	down.addFindings(checks.Degraded, testTime.Add(-time.Minute), findings...)
	s := newFakeDaemon(down).server(t)
	id := down.incidents[0].ID
	for language, want := range map[string][]string{
		"en": {"2 nodes are down: node1, node4", "Check what the nodes have in common", "node4 does not answer"},
		"zh": {"2 个节点不可用：node1、node4", "请检查各节点的共同之处"},
	} {
		page := send(s, "GET", "/incidents/"+id+"?lang="+language, "").Body.String()
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s: %q is not on the page", language, text)
			}
		}
	}
	if page := send(s, "GET", "/?lang=en", "").Body.String(); !strings.Contains(page, "2 nodes are down: node1, node4") || strings.Contains(page, "and a consequence") {
		t.Error("the overview calls a node the consequence of another")
	}
	one := decoded[wire.Incident](t, send(s, "GET", "/api/v1/incidents/"+id, ""))
	if one.Summary != "2 nodes are down: node1, node4" || !strings.HasPrefix(one.Remedy, "Check what the nodes have in common") {
		t.Errorf("got %q and %q", one.Summary, one.Remedy)
	}
}

// recovering returns a cluster that is healthy again, with an incident that is still open.
func recovering(c *fakeCluster, at time.Time) *fakeCluster {
	well := healthyCluster(c.Cluster.Name, len(c.Cluster.Nodes))
	well.Since = at
	for _, i := range c.incidents {
		i.Flapping, i.Ended = true, at
		for m := range i.Findings {
			i.Findings[m].Ended = at
		}
		well.incidents = append(well.incidents, i)
	}
	return well
}

// TestQuietIncidents: recovering incidents do not look urgent.
func TestQuietIncidents(t *testing.T) {
	s := newFakeDaemon(recovering(redisDown("shop"), testTime.Add(-time.Minute))).server(t)
	for _, path := range []string{"/", "/clusters/shop"} {
		body := getPage(s, path).Body.String()
		for _, want := range []string{`<h1 class="m ok">shop is healthy`, "Recovering", `<b class="m no">recovering</b>`, "recovering since", "flapping"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		for _, bad := range []string{"Open incidents", `"m bd"`, "What to do", "headline bd"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	body := getPage(s, "/incidents/20260314T115811000-shop").Body.String()
	for _, want := range []string{`class="headline no"`, `<dd class="m no">recovering`, `<dd class="m was bd">critical`} {
		if !strings.Contains(body, want) {
			t.Errorf("the incident lacks %q", want)
		}
	}
}

// TestSince: the headline of a problem dates from the first problem, and a healthy one from
// the last recovery.
func TestSince(t *testing.T) {
	at := func(v checks.Verdict, ago time.Duration) Snapshot {
		return Snapshot{Report: checks.Report{Verdict: v}, Since: testTime.Add(-ago)}
	}
	for _, test := range []struct {
		name      string
		tone      tone
		snapshots []Snapshot
		want      time.Time
	}{
		{"nothing", toneUnknown, nil, time.Time{}},
		{"well", toneOK, []Snapshot{at(checks.Healthy, time.Hour), at(checks.Healthy, time.Minute)}, testTime.Add(-time.Minute)},
		{"failing", toneCritical, []Snapshot{at(checks.Failing, time.Hour), at(checks.Failing, 2*time.Hour), at(checks.Degraded, 9*time.Hour)}, testTime.Add(-2 * time.Hour)},
		{"unsure", toneUnknown, []Snapshot{at("", time.Hour), at(checks.Healthy, 2*time.Hour)}, testTime.Add(-time.Hour)},
		{"not known", toneWarning, []Snapshot{at(checks.Degraded, time.Hour), {Report: checks.Report{Verdict: checks.Degraded}}}, time.Time{}},
	} {
		if got := since(test.snapshots, test.tone); !got.Equal(test.want) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestAcknowledge: an open incident is acknowledged by the API and by its page, which then
// shows who takes care of it, in both languages.
func TestAcknowledge(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"))
	s := d.server(t)
	id := d.fakeClusters[0].incidents[0].ID
	page := "/incidents/" + id
	if got := send(s, "GET", page, "").Body.String(); !strings.Contains(got, `action="`+page+`/acknowledge"`) {
		t.Error("the page does not offer to acknowledge the incident")
	}
	form := send(s, "POST", page+"/acknowledge", "author=li&note=first", "Content-Type", "application/x-www-form-urlencoded")
	if form.Code != http.StatusSeeOther || form.Header().Get("Location") != page || d.fakeClusters[0].incidents[0].Acknowledged.Note != "first" {
		t.Errorf("the form: got %d to %q", form.Code, form.Header().Get("Location"))
	}
	refused := send(s, "POST", "/api/v1"+page+"/acknowledge", `{"author": "张三", "note": "mine"}`)
	if refused.Code != http.StatusConflict || !strings.Contains(refused.Body.String(), "li acknowledged it at") {
		t.Errorf("a second acknowledgement: got %d, %s", refused.Code, refused.Body)
	}
	refused = send(s, "POST", page+"/acknowledge?lang=zh", "author=x", "Content-Type", "application/x-www-form-urlencoded")
	if refused.Code != http.StatusConflict || !strings.Contains(refused.Body.String(), "<p>li 已于 "+testTime.Format("2006-01-02 15:04:05 MST")+" 认领</p>") {
		t.Errorf("a second acknowledgement on the Chinese page: got %d, %s", refused.Code, refused.Body)
	}
	got := decoded[wire.Incident](t, send(s, "POST", "/api/v1"+page+"/acknowledge", `{"author": "张三", "note": "<b>on it</b>", "take_over": true}`))
	want := wire.Acknowledgement{At: wire.TimestampOf(testTime), By: "张三", Note: "<b>on it</b>"}
	expect.Equal(t, "acknowledged", want, got.Acknowledged)
	for lang, words := range map[string]string{"en": "Acknowledged", "zh": "已认领"} {
		shown := send(s, "GET", page+"?lang="+lang, "").Body.String()
		if !strings.Contains(shown, "<dt>"+words+"</dt><dd>张三 · ") || !strings.Contains(shown, "&lt;b&gt;on it&lt;/b&gt;") {
			t.Errorf("%s: the page does not show who takes care of the incident", lang)
		}
	}
}

// TestNotes: anybody who may make changes adds notes to an incident, open or resolved, by the
// API and by its page, which shows them.
func TestNotes(t *testing.T) {
	d := newFakeDaemon(nodeDown("portal", 3))
	s := d.server(t)
	for _, i := range d.fakeClusters[0].incidents {
		page := "/incidents/" + i.ID
		form := send(s, "POST", page+"/notes", "author=li&text=<i>disk</i>", "Content-Type", "application/x-www-form-urlencoded")
		if form.Code != http.StatusSeeOther || form.Header().Get("Location") != page {
			t.Errorf("the form: got %d to %q", form.Code, form.Header().Get("Location"))
		}
		got := decoded[wire.Incident](t, send(s, "POST", "/api/v1"+page+"/notes", `{"text": "磁盘已满"}`))
		last := got.Timeline[len(got.Timeline)-1]
		expect.Equal(t, i.State, wire.Event{At: wire.TimestampOf(testTime), Kind: "noted", Text: "note by somebody: 磁盘已满", Reason: "asked"}, last)
		for lang, words := range map[string]string{"en": "note by li: &lt;i&gt;disk", "zh": "备注：li：&lt;i&gt;disk"} {
			if shown := send(s, "GET", page+"?lang="+lang, "").Body.String(); !strings.Contains(shown, words) {
				t.Errorf("%s: the page does not show the note", lang)
			}
		}
	}
	for body, status := range map[string]int{`{"text": " "}`: 400, `{"text": "` + strings.Repeat("x", 301) + `"}`: 400} {
		if got := send(s, "POST", "/api/v1/incidents/"+d.fakeClusters[0].incidents[0].ID+"/notes", body).Code; got != status {
			t.Errorf("%.20s: got %d, want %d", body, got, status)
		}
	}
	expect.Equal(t, "an unknown incident", http.StatusNotFound, send(s, "POST", "/api/v1/incidents/nosuch/notes", `{"text": "x"}`).Code)
}
