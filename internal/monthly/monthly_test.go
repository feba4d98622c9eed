package monthly_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/monthly"
	"stickwatch/internal/must"
)

// A fakeSource has the same data for each cluster.
type fakeSource struct {
	uptimes     []checks.Uptime
	deployments []checks.Deployment
	costs       []checks.Span // for which costs were asked
	err         error
}

func (f *fakeSource) Uptimes(_ context.Context, cluster string, span checks.Span, _ ...checks.TargetKind) ([]checks.Uptime, error) {
	var all []checks.Uptime
	for _, u := range f.uptimes {
		u.Cluster, u.Span = cluster, span
		all = append(all, u)
	}
	return all, f.err
}

// Days has probes on the last three days.
func (f *fakeSource) Days(_ context.Context, of []checks.Target, _ time.Time, n int) (map[checks.Target][]checks.Uptime, error) {
	all := make(map[checks.Target][]checks.Uptime)
	for _, target := range of {
		days := make([]checks.Uptime, n)
		for i := max(0, n-3); i < n; i++ {
			days[i].Probes = 5
		}
		all[target] = days
	}
	return all, nil
}

func (f *fakeSource) Deployments(context.Context, string, checks.Span) ([]checks.Deployment, error) {
	return f.deployments, nil
}

func (f *fakeSource) CountsOf(_ context.Context, _ string, span checks.Span) (alerting.Counts, error) {
	f.costs = append(f.costs, span)
	return alerting.Counts{Moved: 7, Lost: 2, Longest: 3 * time.Second}, nil
}

func uptime(kind checks.TargetKind, name string, probes, failed int) checks.Uptime {
	return checks.Uptime{
		Target: checks.Target{Kind: kind, Name: name}, Probes: probes, Failed: failed, Ratio: float64(probes-failed) / float64(probes), Longest: 12 * time.Second,
	}
}

var berlin = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}()

// build returns the report of November 2026 in Berlin.
func build(t *testing.T, source *fakeSource, now time.Time, incidents ...alerting.Incident) monthly.Report {
	t.Helper()
	month, err := monthly.ParseMonth("2026-11", berlin)
	must.Succeed(t, err)
	read := func(context.Context, string, checks.Span) ([]alerting.Incident, error) { return incidents, nil }
	r, err := monthly.Build(t.Context(), source, read, []string{"shop"}, month, now, 0.999)
	must.Succeed(t, err)
	return r
}

func example(t *testing.T) (monthly.Report, *fakeSource) {
	at := time.Date(2026, 11, 14, 13, 3, 0, 0, time.UTC)
	fired := alerting.Incident{
		ID: "20261114T130300000-1", Cluster: "shop", State: alerting.Resolved, Severity: checks.Critical,
		Cause:   checks.Finding{Code: checks.DependencyDown, Summary: checks.Message{ID: checks.MsgMovedUnexplained}},
		Started: at, Fired: at, Ended: at.Add(90 * time.Second),
	}
	untold := fired
	untold.ID, untold.Fired = "20261114T140000000-2", time.Time{}
	source := &fakeSource{
		uptimes: []checks.Uptime{
			uptime(checks.TargetBalancer, "http://lb", 1000, 1), uptime(checks.TargetCanary, "node1", 9, 9), uptime(checks.TargetNode, "node1", 1000, 0),
			uptime(checks.TargetSession, "", 100, 100), uptime(checks.TargetSession, "node1", 9900, 1),
		},
		deployments: []checks.Deployment{
			{Name: "=1.2 | <b>", Span: checks.Span{From: at.Add(-time.Hour), To: at.Add(-50 * time.Minute)}},
			{Name: "1.3", Span: checks.Span{From: at}},
		},
	}
	return build(t, source, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), fired, untold), source
}

func TestBuild(t *testing.T) {
	r, source := example(t)
	c := r.Clusters[0]
	if got := c.Sessions; got.Probes != 10_000 || got.Failed != 101 || r.Met(c) {
		t.Errorf("got sessions %+v and met %t", got, r.Met(c))
	}
	if len(c.Incidents) != 1 {
		t.Errorf("got %d incidents, want the one that was notified", len(c.Incidents))
	}
	if c.Days != 20 || c.Covered != 3 { // 31 October to 20 November in UTC
		t.Errorf("got %d of %d days, want 3 of 20", c.Covered, c.Days)
	}
	want := []checks.Span{
		{From: time.Date(2026, 11, 14, 12, 3, 0, 0, time.UTC), To: time.Date(2026, 11, 14, 12, 14, 0, 0, time.UTC)},
		{From: time.Date(2026, 11, 14, 13, 3, 0, 0, time.UTC), To: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)},
	}
	expect.Equal(t, "spans of deployments", want, source.costs)
	if !r.From.Equal(time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("the month begins at %s", r.From)
	}
}

func TestDocument(t *testing.T) {
	r, _ := example(t)
	for language, cells := range map[alerting.Language][]string{
		alerting.English: {"2026-11-14 14:03 CET · 1m30s", "1.3 · 7 · 2 · 3s"},
		alerting.Chinese: {"2026-11-14 14:03 CET · 1 分 30 秒", "1.3 · 7 · 2 · 3 秒"},
	} {
		d := r.Document(language)
		var rows []string
		for _, s := range d.Sections {
			for _, cells := range s.Rows {
				if len(cells) != len(s.Columns) {
					t.Errorf("%s: %d cells for %d columns", s.Heading, len(cells), len(s.Columns))
				}
				rows = append(rows, strings.Join(cells, " · "))
			}
		}
		if want := "shop · 98.99 % · "; !strings.HasPrefix(rows[0], want) {
			t.Errorf("got %q, want it to begin with %q", rows[0], want)
		}
		all := strings.Join(rows, "\n")
		for _, want := range cells {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is missing in\n%s", language, want, all)
			}
		}
	}
}

// TestHTMLIsEscaped: a name from outside stays text.
func TestHTMLIsEscaped(t *testing.T) {
	r, _ := example(t)
	var b strings.Builder
	must.Succeed(t, r.Document(alerting.English).WriteHTML(&b))
	if got := b.String(); strings.Contains(got, "<b>") || !strings.Contains(got, "=1.2 | &lt;b&gt;") {
		t.Error(got)
	}
}

func TestNothingKnown(t *testing.T) {
	r := build(t, &fakeSource{}, time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC))
	d := r.Document(alerting.English)
	if got := d.Sections[0].Rows[0]; got[1] != "–" || got[2] != "no data" || got[8] != "0 of 30" {
		t.Errorf("got %q", got)
	}
	if lead := strings.Join(d.Lead, " "); strings.Contains(lead, "not ended") || !strings.Contains(lead, "no data of sessions") {
		t.Errorf("got %q", lead)
	}
	source := &fakeSource{err: errors.New("the disk is gone")}
	read := func(context.Context, string, checks.Span) ([]alerting.Incident, error) { return nil, nil }
	if _, err := monthly.Build(t.Context(), source, read, []string{"shop"}, r.Span, r.To, 0.999); err == nil || err.Error() != `reading the month of "shop": the disk is gone` {
		t.Errorf("got error %v", err)
	}
	for _, text := range []string{"", "2026", "2026-13", "2026-11-01", "last", "0000-01", "1969-12"} {
		if _, err := monthly.ParseMonth(text, time.UTC); err == nil {
			t.Errorf("%q is a month", text)
		}
	}
}

// TestTarget: exactly the target is met.
func TestTarget(t *testing.T) {
	for text, failed := range map[string]int{"99.9": 1, "99.8": 2, "99": 10, "98.2": 18, "57.9": 421, "100": 0} {
		target, err := monthly.ParseTarget(text)
		if c := (monthly.Cluster{Sessions: uptime(checks.TargetSession, "", 1000, failed)}); err != nil || !(monthly.Report{Target: target}).Met(c) {
			t.Errorf("%d failed of 1000 miss %s %% (%v, %v)", failed, text, target, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "100.1", "NaN", "Inf", "1e-320", "99,9"} {
		if _, err := monthly.ParseTarget(text); err == nil {
			t.Errorf("%q is a target", text)
		}
	}
}

// TestRounding: an availability below the target does not look as if it met it, and the
// target has all its digits.
func TestRounding(t *testing.T) {
	for target, test := range map[string]struct {
		failed int
		want   string
	}{
		"99.9":    {1_001, "99.899 %"},
		"99.9995": {6, "99.999 %"},
		"100":     {1, "99.999 %"},
		"99":      {10_000, "99 %"},
		"98.2":    {0, "100 %"},
	} {
		share, err := monthly.ParseTarget(target)
		must.Succeed(t, err)
		r := build(t, &fakeSource{uptimes: []checks.Uptime{uptime(checks.TargetSession, "node1", 1_000_000, test.failed)}}, time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC))
		r.Target = share
		d := r.Document(alerting.English)
		if got := d.Sections[0].Rows[0][1]; got != test.want || !strings.Contains(d.Lead[0], "target of "+target+" %") {
			t.Errorf("%d of 1000000 failed: got %q, want %q; %q", test.failed, got, test.want, d.Lead[0])
		}
	}
}

// TestEveryTextIsTranslated: each text that the package passes to the translation has a
// Chinese one.
func TestEveryTextIsTranslated(t *testing.T) {
	source, err := os.ReadFile("document.go")
	must.Succeed(t, err)
	code, catalogue, _ := strings.Cut(string(source), "var inChinese")
	found := 0
	for _, call := range regexp.MustCompile(`w\.texts?\(\s*((?:"[^"]*",?\s*)+)`).FindAllStringSubmatch(code, -1) {
		for _, text := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(call[1], -1) {
			found++
			if !strings.Contains(catalogue, `"`+text[1]+`":`) {
				t.Errorf("%q has no Chinese", text[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("found %d texts, want all", found)
	}
	r, _ := example(t)
	for _, sentence := range r.Document(alerting.Chinese).Lead {
		if !strings.ContainsFunc(sentence, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%q is not Chinese", sentence)
		}
	}
}
