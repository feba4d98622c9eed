package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

// textsOf returns the texts in templates and code of this package.
func textsOf(t *testing.T) map[string]bool {
	t.Helper()
	texts := map[string]bool{}
	find := func(pattern, content string) {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(content, -1) {
			text, err := strconv.Unquote(found[1])
			must.Succeed(t, err)
			texts[text] = true
		}
	}
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		names, err := fs.Glob(os.DirFS("."), pattern)
		must.Succeed(t, err)
		for _, name := range names {
			content, err := os.ReadFile(name)
			must.Succeed(t, err)
			switch {
			case strings.HasSuffix(name, "_test.go"):
			case strings.HasSuffix(name, ".go"):
				find(`\.(?:translate|stateLabel)\([^"\n]*("(?:[^"\\]|\\.)*")`, string(content))
				find(`(?s:newProblem\([^,()]+,|newDetail\(|\.reject\()\s*("(?:[^"\\]|\\.)*"|`+"`[^`]*`"+`)`, string(content))
				find(`(?:term\(|notFound\(|changed\(r, )("[^"]*")`, string(content))
				find(`\.verdictHeadline\(.*, ("%s[^"]*"), "`, string(content))
				find(`\.verdictHeadline\(.*, "%s[^"]*", ("[^"]*")`, string(content))
			default:
				find(`\bt ("[^"]*")`, string(content))
			}
		}
	}
	return texts
}

// TestChineseIsComplete: every text has a translation with the same verbs.
func TestChineseIsComplete(t *testing.T) {
	texts := textsOf(t)
	if len(texts) < 100 {
		t.Fatalf("found %d texts, want all of them", len(texts))
	}
	for _, v := range []checks.Verdict{checks.Healthy, checks.Degraded, checks.Failing, checks.Inconclusive} {
		texts[string(v)] = true
	}
	for _, s := range []checks.Severity{checks.Info, checks.Warning, checks.Critical} {
		texts[string(s)] = true
	}
	for _, s := range []alerting.State{alerting.Pending, alerting.Firing, alerting.Resolved} {
		texts[string(s)] = true
	}
	verbs := regexp.MustCompile(`%(?:\[\d\])?[sdqv]`)
	for text := range texts {
		translated, ok := chineseTexts[text]
		if !ok {
			t.Errorf("%q has no Chinese translation", text)
		}
		if want, got := len(verbs.FindAllString(text, -1)), len(verbs.FindAllString(translated, -1)); ok && want != got {
			t.Errorf("%q has %d verbs, and %d in Chinese", text, want, got)
		}
	}
}

func TestFormatter(t *testing.T) {
	en, zh := formatter{english, time.UTC}, formatter{chinese, time.FixedZone("CST", 8*60*60)}
	for _, test := range []struct{ got, want string }{
		{en.length(0), "0 s"},
		{en.length(59 * time.Second), "59 s"},
		{en.length(90 * time.Second), "1 min"},
		{en.length(3*time.Hour + 5*time.Minute), "3 h 5 min"},
		{en.length(50 * time.Hour), "2 d 2 h"},
		{zh.length(50 * time.Hour), "2 天 2 小时"},
		{en.clock(testTime, testTime), "12:03:11"},
		{zh.clock(testTime, testTime), "20:03:11"},
		{en.clock(testTime.AddDate(0, 0, -3), testTime), "11 Mar 12:03"},
		{zh.clock(testTime.AddDate(0, 0, -3), testTime), "3月11日 20:03"},
		{en.clock(testTime.AddDate(-1, 0, 0), testTime), "2025-03-14 12:03"},
		{en.clock(time.Time{}, testTime), "–"},
		{en.percent(1), "100\u00a0%"},
		{en.percent(0.999999), ">99.99\u00a0%"},
		{en.percent(0.99949), "99.95\u00a0%"},
		{en.percent(0), "0.00\u00a0%"},
		{en.latency(0), "–"},
		{en.latency(1234 * time.Microsecond), "1.2\u00a0ms"},
		{en.latency(87 * time.Millisecond), "87\u00a0ms"},
		{en.latency(2345 * time.Millisecond), "2.3\u00a0s"},
		{en.translate("no such text %d", 7), "no such text 7"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// TestSetLocale: SetLocale changes the language and time zone for clients without a preference.
func TestSetLocale(t *testing.T) {
	t.Parallel()
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	page := func() string {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		return answer.Body.String()
	}
	for _, tt := range []struct {
		language string
		zone     *time.Location
		want     []string
	}{
		{"", time.UTC, []string{`lang="en"`, "UTC"}},
		{"zh", time.FixedZone("CST", 8*60*60), []string{`lang="zh`, "CST"}},
		{"en", time.UTC, []string{`lang="en"`, "UTC"}},
	} {
		s.SetLocale(tt.language, tt.zone)
		for _, want := range tt.want {
			if got := page(); !strings.Contains(got, want) {
				t.Errorf("%q in %s: no %s in\n%s", tt.language, tt.zone, want, got)
			}
		}
	}
}

// TestZones: times of summer and winter below one heading have both abbreviations in it.
func TestZones(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must.Succeed(t, err)
	now := time.Date(2026, 11, 14, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		zone *time.Location
		days int
		want string
	}{{berlin, 1, "CET"}, {berlin, 30, "CET/CEST"}, {berlin, 400, "CET/CEST"}, {time.FixedZone("CST", 8*60*60), 400, "CST"}, {time.UTC, 400, "UTC"}} {
		if got := (formatter{english, test.zone}).zones(now.AddDate(0, 0, -test.days), now); got != test.want {
			t.Errorf("%s, %d days: got %s, want %s", test.zone, test.days, got, test.want)
		}
	}
	d := newFakeDaemon(nodeDown("shop", 3))
	s := d.server(t, func(c *Config) { c.Location, c.Now = berlin, func() time.Time { return testTime.AddDate(0, 0, 60) } })
	for path, want := range map[string]string{
		"/incidents": "Began (CEST/CET)", "/incidents.csv": "Began (CEST/CET)",
		"/clusters/shop?range=90d": `<span class="meta">CEST/CET</span>`, "/clusters/shop?range=6h": `<span class="meta">CEST</span>`,
	} {
		if got := getPage(s, path).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
}
