package dashboards

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// A dashboard has the fields of a Grafana dashboard that the tests need, and all of it as JSON.
type dashboard struct {
	UID           string
	Title         string
	Tags          []string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct{ Name, Expr, TitleFormat, TextFormat string }
	}
	Panels  []panel
	content []byte
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Datasource  datasource
	Targets     []struct {
		RefID, Expr, LegendFormat string
		Datasource                datasource
		Instant, Range            bool
	}
	FieldConfig struct {
		Overrides []struct{ Matcher struct{ Options string } }
	}
	Transformations []struct {
		ID      string
		Options struct{ RenameByName map[string]string }
	}
}

type datasource struct{ Type, UID string }

// source is the data source that is selected in the header of a dashboard.
var source = datasource{"prometheus", "${datasource}"}

// read returns the committed dashboards, decoded.
func read(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob("grafana/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got %d dashboards and error %v, want some", len(paths), err)
	}
	all := make(map[string]dashboard)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		must.Succeed(t, err)
		d := dashboard{content: content}
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("decoding %s: %v", path, err)
		}
		all[filepath.Base(path)] = d
	}
	return all
}

// These tests check requirements of Grafana 11 (schema 39) that it does not report: it
// omits a broken panel silently.

// kinds are the panels that Grafana has without plug-ins.
var kinds = []string{"row", "stat", "timeseries", "state-timeline", "table"}

func TestPanels(t *testing.T) {
	for name, d := range read(t) {
		ids := make(map[int]bool)
		for _, p := range d.Panels {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: %q has the id %d, which must be its own", name, p.Title, p.ID)
			}
			ids[p.ID] = true
			if !slices.Contains(kinds, p.Type) || p.Title == "" {
				t.Errorf("%s: %q is of the kind %q, want one of %q and a title", name, p.Title, p.Type, kinds)
			}
			if p.Type == "row" {
				continue
			}
			if p.Description == "" {
				t.Errorf("%s: %q has no description", name, p.Title)
			}
			if p.Datasource != source || len(p.Targets) == 0 {
				t.Errorf("%s: %q asks %v %d queries, want some of the chosen data source", name, p.Title, p.Datasource, len(p.Targets))
			}
			letters := make(map[string]bool)
			for _, q := range p.Targets {
				if letters[q.RefID] || q.Datasource != source || q.Instant == q.Range || q.Expr == "" {
					t.Errorf("%s: %q has a query %+v, want a letter of its own, the chosen data source, instant or range", name, p.Title, q)
				}
				letters[q.RefID] = true
			}
		}
	}
}

// TestGrid: panels are within the grid and do not overlap.
func TestGrid(t *testing.T) {
	for name, d := range read(t) {
		taken := make(map[[2]int]string)
		for _, p := range d.Panels {
			at := p.GridPos
			if at.X < 0 || at.W < 1 || at.H < 1 || at.X+at.W > 24 {
				t.Errorf("%s: %q is at %+v, outside the grid", name, p.Title, at)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %q overlaps %q", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// TestVariablesAreDefined: every used variable is defined by the dashboard or by Grafana.
func TestVariablesAreDefined(t *testing.T) {
	use := regexp.MustCompile(`\$\{?(\w+)`)
	for name, d := range read(t) {
		defined := []string{"datasource"}
		for _, v := range d.Templating.List {
			defined = append(defined, v.Name)
		}
		for _, match := range use.FindAllStringSubmatch(string(d.content), -1) {
			if !slices.Contains(defined, match[1]) && !strings.HasPrefix(match[1], "__") {
				t.Errorf("%s uses $%s and defines %q", name, match[1], defined)
			}
		}
		if d.Templating.List[0].Type != "datasource" {
			t.Errorf("%s asks other variables before the data source that they are asked of", name)
		}
	}
}

// TestDashboardsAreFound: dashboards have the ids and tags that links and provisioning use.
func TestDashboardsAreFound(t *testing.T) {
	byUID := make(map[string]bool)
	for name, d := range read(t) {
		if d.UID+".json" != name || len(d.UID) > 40 || d.SchemaVersion != 39 || !slices.Contains(d.Tags, "stickwatch") {
			t.Errorf("%s has the uid %q, schema %d and tags %q", name, d.UID, d.SchemaVersion, d.Tags)
		}
		byUID[d.UID] = true
	}
	link := regexp.MustCompile(`"/d/([\w-]+)`)
	for name, d := range read(t) {
		for _, match := range link.FindAllStringSubmatch(string(d.content), -1) {
			if !byUID[match[1]] {
				t.Errorf("%s links to %q, which there is not", name, match[1])
			}
		}
	}
}

// TestTablesNameTheirColumns: the columns that a table renames, orders and colours exist in
// its queries. The value of a single query is "Value".
func TestTablesNameTheirColumns(t *testing.T) {
	for name, d := range read(t) {
		for _, p := range d.Panels {
			if p.Type != "table" {
				continue
			}
			var titles []string
			for _, x := range p.Transformations {
				if x.ID == "organize" {
					titles = slices.AppendSeq(titles, maps.Values(x.Options.RenameByName))
				}
			}
			for _, o := range p.FieldConfig.Overrides {
				if !slices.Contains(titles, o.Matcher.Options) {
					t.Errorf("%s: %q has no column %q, only %q", name, p.Title, o.Matcher.Options, titles)
				}
			}
		}
	}
}
