package web

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"stickwatch/alerting"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
	"stickwatch/internal/phrase/latin"
	"stickwatch/internal/postmortem"
	"stickwatch/internal/render"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/redis"
)

// TestFaultTexts: the texts about every fault of the demo are complete in both languages, with
// times in one zone, on every page, in messages of all kinds (receivers only mark them up), in the
// post-mortem and on the command line.
func TestFaultTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the timeouts of faults")
	}
	t.Parallel()
	for _, fault := range demo.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			s := scenarioOf(t, fault.Name)
			for _, language := range languages {
				for name, text := range s.texts(t, language) {
					if len(text) < 100 {
						t.Errorf("%s in %s: got %q", name, language, text)
					}
					s.wantOneZone(t, name+" in "+language, text)
					if language == chinese {
						wantChinese(t, name, text)
					}
				}
			}
		})
	}
}

// A scenario is what stickwatch knows about the demo with a fault.
type scenario struct {
	*fakeCluster
	zone *time.Location
	now  time.Time
}

// scenarioOf takes two rounds, before the fault and with it.
func scenarioOf(t *testing.T, fault string) scenario {
	t.Helper()
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	var file strings.Builder
	fmt.Fprintf(&file, "clusters:\n  - name: shop\n    timeout: 1s\n    slow: 900ms\n    balancer: {url: %q, method: %s, client_ip_header: %s}\n    nodes:\n",
		cluster.Balancer.URL(), cluster.Config.Method, cluster.Config.ClientIPHeader)
	for i, n := range cluster.Nodes {
		fmt.Fprintf(&file, "      - {id: %s, url: %q, primary: %t}\n", n.ID(), n.URL(), i == 0)
	}
	fmt.Fprintf(&file, "    pages: [{path: /app_a/}]\n    handshake: {path: /socket.io/}\n    dependencies: [{name: %s, url: %q}]\n", demo.RedisServer, cluster.Redis.URL())
	cfg, err := config.Parse("demo.yml", []byte(file.String()), func(string) (string, bool) { return "", false })
	must.Succeed(t, err)
	prober := monitor.Prober{Handshake: engineio.Handshake, Pingers: map[string]probes.Pinger{"redis": redis.Ping}}
	first := checks.Judge(prober.Round(t.Context(), cfg.Clusters[0]))
	must.Succeed(t, cluster.Break(fault))
	round := prober.Round(t.Context(), cfg.Clusters[0])
	round.Past = first.Timelines
	report := checks.Judge(round)
	s := scenario{
		fakeCluster: &fakeCluster{Snapshot: Snapshot{Cluster: cfg.Clusters[0], Report: report}, outages: map[string][]checks.Span{}},
		zone:        time.FixedZone("CST", 8*60*60), now: time.Now(),
	}
	findings := report.Findings
	if len(findings) == 0 { // that takes several rounds
		findings = []checks.Finding{{Code: checks.Slow, Severity: checks.Warning, Node: "node2"}}
	}
	s.Report.Findings = nil
	s.addFindings(report.Verdict, round.Started, findings...)
	if len(s.incidents) == 0 { // information only
		s.incidents = []alerting.Incident{resolved("shop", round.Started, findings[0])}
	}
	i := &s.incidents[0]
	i.Clusters = []string{"shop"}
	for n := range i.Timeline {
		i.Timeline[n].Summary = i.Cause.Summary
	}
	i.Timeline = append(i.Timeline, everyEvent(s.now)...)
	s.moves = []checks.Move{{At: round.Started, Cluster: "shop", From: "node2", To: "node1", Session: probes.FingerprintOf("b"), Cause: checks.Message{ID: checks.MsgMovedDown, Args: checks.Args{Node: "node2"}}}}
	return s
}

// everyEvent has events that are not about a finding.
func everyEvent(at time.Time) []alerting.Event {
	return []alerting.Event{
		{At: at, Kind: alerting.EventFired, Text: "it has been active for 2s"},
		{At: at, Kind: alerting.EventNotified, Detail: "ops-1", Text: "ops-1: fired"},
		{At: at, Kind: alerting.EventEscalated, Detail: "ops-2", Text: "nobody has acknowledged it for 15m0s: ops-2 is notified"},
		{At: at, Kind: alerting.EventFlapping, Text: "it flaps"},
		{At: at, Kind: alerting.EventUnsilenced, Text: "receivers are notified again"},
		{At: at, Kind: alerting.EventWorsened, Detail: string(checks.Critical), Text: "it is critical now"},
		{At: at, Kind: alerting.EventCut, Omitted: 3, Text: "3 events are not kept"},
		{At: at, Kind: alerting.EventMerged, Detail: "2026-1", Text: "incident 2026-1 has the same cause"},
	}
}

// texts returns what people read about the scenario, by output.
func (s scenario) texts(t *testing.T, language string) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	incident := s.incidents[0]
	server := newFakeDaemon(s.fakeCluster).server(t, func(c *Config) {
		c.Now, c.Location, c.Language = func() time.Time { return s.now }, s.zone, language
	})
	for _, path := range []string{"/", "/clusters/shop", "/incidents", "/incidents/" + incident.ID, "/report", "/nowhere"} {
		texts[path] = shownText(t, send(server, http.MethodGet, path+"?lang="+language, "").Body)
	}
	texts["a refused filter"] = shownText(t, send(server, http.MethodGet, "/incidents?state=x&lang="+language, "").Body)

	d := postmortem.Document{Incident: incident, Language: alerting.Language(language), Zone: s.zone, Now: s.now}
	texts["post-mortem"] = d.Markdown()
	writer := message.Writer{Language: alerting.Language(language), Zone: s.zone}
	for _, kind := range []alerting.NotificationKind{alerting.NotificationFired, alerting.NotificationDeveloped, alerting.NotificationReminder, alerting.NotificationResolved} {
		n := alerting.Notification{Kind: kind, At: s.now, Incident: incident, News: incident.Timeline}
		if kind == alerting.NotificationResolved {
			n.Incident.State, n.Incident.Ended = alerting.Resolved, s.now
		}
		texts["message "+string(kind)] = writer.Write(n).Plain()
	}

	opts := render.Options{Clusters: []*probes.Cluster{s.Cluster}, Reader: phrase.Reader{Language: checks.Language(language), Zone: s.zone}, Width: math.MaxInt}
	results := render.Results{Started: s.now, Duration: time.Second, Clusters: []checks.Report{s.Report}}
	for _, format := range []string{"table", "markdown", "nagios"} {
		texts["probe "+format] = written(t, func(w io.Writer) error { return render.Report(w, format, results, opts) })
	}
	texts["history of an incident"] = written(t, func(w io.Writer) error { return render.Incident(w, "table", d, opts) })
	past := render.ClusterHistory{Cluster: "shop", Incidents: s.incidents, Moves: s.moves}
	texts["history"] = written(t, func(w io.Writer) error {
		return render.History(w, "table", []render.ClusterHistory{past}, checks.Span{From: s.now.Add(-time.Hour), To: s.now}, s.now, opts)
	})
	return texts
}

func written(t *testing.T, by func(io.Writer) error) string {
	t.Helper()
	var b strings.Builder
	must.Succeed(t, by(&b))
	return b.String()
}

// shownText returns what a page shows or a screen reader reads, a line for each text. It leaves
// out the link to the other language, and dates for programs.
func shownText(t *testing.T, page io.Reader) string {
	t.Helper()
	root, err := html.ParseWithOptions(page, html.ParseOptionEnableScripting(false))
	must.Succeed(t, err)
	var lines []string
	var read func(*html.Node)
	read = func(n *html.Node) {
		for _, attribute := range n.Attr {
			switch {
			case attribute.Key == "hreflang":
				return
			case slices.Contains([]string{"title", "aria-label", "alt", "placeholder", "data-label"}, attribute.Key):
				lines = append(lines, attribute.Val)
			}
		}
		switch {
		case n.Type == html.TextNode:
			lines = append(lines, n.Data)
		case n.Data == "script" || n.Data == "style":
			return
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			read(child)
		}
	}
	read(root)
	return strings.Join(lines, "\n")
}

// quoted are texts of targets and of the operating system, which no language translates.
var quoted = []string{
	"shop", "demo", "paused", "running", "ops", "uncategorized",
	"The following dependent services are unavailable: Redis Server", "The following dependent services are unavailable: DB Service", "Redis Server",
	"SESSIONID", "test", "STICKWATCH OK", "STICKWATCH WARNING", "STICKWATCH CRITICAL", "STICKWATCH UNKNOWN",
}

// wantChinese fails the test if a text has other words than the rule of package latin allows.
func wantChinese(t *testing.T, name, text string) {
	t.Helper()
	text = strings.NewReplacer(`\_`, "_", `\$`, "$", "&#8203;", "").Replace(text) // escapes of Markdown
	text = regexp.MustCompile(`\n {2,}`).ReplaceAllString(text, " ")              // lines that are wrapped
	text, _, _ = strings.Cut(text, " | 'shop")                                    // performance data of Nagios
	names := slices.Clone(quoted)
	for _, entry := range checks.Catalogue {
		names = append(names, string(entry.Code))
	}
	for line := range strings.Lines(text) {
		if words := latin.Words(line, names...); len(words) > 0 {
			t.Errorf("%s: %q in %s", name, words, strings.TrimSpace(line))
		}
	}
}

var timeOfDay = regexp.MustCompile(`\b(\d\d):\d\d:\d\d\b`)

// ownClock matches a start time that a node reports, in a zone that only the node knows.
var ownClock = regexp.MustCompile(`\d\d:\d\d:\d\d(, by its own clock|（节点自报）)`)

// wantOneZone fails the test unless all times of day are in the zone, which the text names.
func (s scenario) wantOneZone(t *testing.T, name, text string) {
	t.Helper()
	now := s.now.In(s.zone)
	hours := []string{now.Format("15"), now.Add(-time.Hour).Format("15"), now.Add(time.Hour).Format("15")}
	text = ownClock.ReplaceAllString(text, "")
	found := timeOfDay.FindAllStringSubmatch(text, -1)
	for _, at := range found {
		if !slices.Contains(hours, at[1]) {
			t.Errorf("%s: %s is in another zone than %s", name, at[0], now.Format("15:04:05 MST"))
		}
	}
	if len(found) > 0 && !strings.Contains(text, "CST") {
		t.Errorf("%s has times and no zone:\n%s", name, text)
	}
}
