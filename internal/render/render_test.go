package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/jstemmer/go-junit-report/v2/junit"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestRenderGolden(t *testing.T) {
	for _, tt := range []struct{ format, reports string }{
		{"table", "healthy redis_down drift ejected chinese hostile inconclusive several nothing"},
		{"json", "redis_down inconclusive nothing"},
		{"junit", "redis_down ejected inconclusive hostile"},
		{"markdown", "healthy redis_down drift hostile several"},
		{"nagios", "healthy redis_down ejected chinese hostile inconclusive several nothing"},
	} {
		for report := range strings.FieldsSeq(tt.reports) {
			t.Run(report+"."+tt.format, func(t *testing.T) {
				r, opts := shown(reports[report]()...)
				golden(t, report+"."+tt.format, rendered(t, tt.format, r, opts))
			})
		}
	}
}

func TestRenderGoldenTerminal(t *testing.T) {
	for _, tt := range []struct {
		file  string
		width int
		shows *report
	}{
		{"redis_down.terminal", 100, redisDown()},
		{"drift.terminal", 80, drift()},
		{"crowd.terminal", 80, manyCanaries(10)},
	} {
		t.Run(tt.file, func(t *testing.T) {
			r, opts := shown(tt.shows)
			opts.Width, opts.Colour = tt.width, true
			golden(t, tt.file, rendered(t, "table", r, opts))
		})
	}
}

func TestRenderUnknownFormat(t *testing.T) {
	err := Report(new(bytes.Buffer), "yaml", Results{}, Options{})
	want := `unknown output format "yaml": want table, json, junit, markdown, nagios`
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestRenderHostile: text of a target never commands the terminal, forges a line,
// reverses the direction of text or floods a log.
func TestRenderHostile(t *testing.T) {
	for _, format := range Formats {
		t.Run(format, func(t *testing.T) {
			r, opts := shown(hostile())
			got := rendered(t, format, r, opts)
			for i, c := range got {
				if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
					t.Fatalf("%U at byte %d, in %.60q", c, i, got[max(0, i-30):])
				}
			}
			if limit := 80 << 10; len(got) > limit {
				t.Errorf("got %d bytes, want at most %d", len(got), limit)
			}
			for line := range strings.Lines(got) {
				if strings.HasPrefix(strings.TrimSpace(line), "✓ all is well") {
					t.Errorf("a target wrote a line of its own: %.60q", line)
				}
			}
		})
	}
}

func TestRenderTableKeepsToTheWidth(t *testing.T) {
	for name, report := range reports {
		for _, width := range []int{60, 80, 100, 132} {
			r, opts := shown(report()...)
			opts.Width = width
			for line := range strings.Lines(rendered(t, "table", r, opts)) {
				if got := lipgloss.Width(strings.TrimRight(line, "\n")); got > width {
					t.Errorf("%s at %d columns: a line takes %d: %s", name, width, got, line)
				}
			}
		}
	}
}

func TestRenderTableColourOnlyWhenAsked(t *testing.T) {
	r, opts := shown(redisDown())
	grey := rendered(t, "table", r, opts)
	opts.Colour = true
	colour := rendered(t, "table", r, opts)
	if strings.Contains(grey, "\x1b") {
		t.Error("escape sequences without colour")
	}
	if !strings.Contains(colour, "\x1b[") {
		t.Error("no escape sequences with colour")
	}
	// Only the first lines are compared: trees are drawn differently in colour.
	head := func(s string) string { return strings.SplitAfterN(s, "dependency_down", 2)[0] }
	if diff := cmp.Diff(head(grey), head(ansi.Strip(colour))); diff != "" {
		t.Errorf("colour changes the text (-grey +colour):\n%s", diff)
	}
}

func TestRenderJSONHasNoNullLists(t *testing.T) {
	r := Results{Started: testTime, Clusters: []checks.Report{{Cluster: "bare", Findings: []checks.Finding{{Code: checks.Slow}}}}}
	var got map[string]any
	must.Succeed(t, json.Unmarshal([]byte(rendered(t, "json", r, Options{})), &got))
	want := map[string]any{
		"schema": 1.0, "started": "2026-03-14T12:00:00.250Z", "duration_ms": 0.0, "verdict": "healthy",
		"clusters": []any{map[string]any{
			"name": "bare", "verdict": "", "doubts": []any{}, "balancer": []any{}, "nodes": []any{}, "nodes_from": nil, "dependencies": []any{},
			"session": map[string]any{"policy": "", "sticky": "unknown", "shared": "unknown", "confidence": 0.0, "canaries": []any{}},
			"findings": []any{map[string]any{
				"code": "slow", "severity": "", "node": "", "nodes": []any{}, "dependency": "",
				"summary": "", "remedy": "", "evidence": []any{}, "explained_by": "", "key": "slow", "target": "",
			}},
		}},
	}
	expect.Equal(t, "JSON", want, got)
}

func TestRenderJUnitFailsFromSeverityOn(t *testing.T) {
	for _, tt := range []struct {
		failOn checks.Severity
		want   int
	}{
		{"", 0}, {checks.Critical, 0}, {checks.Warning, 2}, {checks.Info, 3},
	} {
		r, opts := shown(ejected())
		opts.FailOn = tt.failOn
		var got junit.Testsuites
		must.Succeed(t, xml.Unmarshal([]byte(rendered(t, "junit", r, opts)), &got))
		if got.Failures != tt.want {
			t.Errorf("fail on %q: got %d failures, want %d", tt.failOn, got.Failures, tt.want)
		}
	}
}

// TestRenderJUnitNamesStayTheSame: CI servers take a test that appears and disappears
// for a flaky one.
func TestRenderJUnitNamesStayTheSame(t *testing.T) {
	names := func(p *report) (all []string) {
		r, opts := shown(p)
		for _, c := range suite(0, r.Clusters[0], opts).Testcases {
			all = append(all, c.Classname+" "+c.Name)
		}
		return all
	}
	broken := redisDown()
	broken.Cluster = "shop"
	if diff := cmp.Diff(names(healthyReport("shop", "node1", "node2", "node3")), names(broken)); diff != "" {
		t.Errorf("tests of a healthy and of a failing cluster (-healthy +failing):\n%s", diff)
	}
}

func rendered(t *testing.T, format string, r Results, opts Options) string {
	t.Helper()
	var b bytes.Buffer
	must.Succeed(t, Report(&b, format, r, opts))
	return b.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	expect.Golden(t, filepath.Join("testdata", file+".golden"), got)
}
