package dashboards

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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
			if *p.Datasource != source || len(p.Targets) == 0 {
				t.Errorf("%s: %q asks %v %d queries, want some of the chosen data source", name, p.Title, *p.Datasource, len(p.Targets))
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
			if at.X < 0 || at.W < 1 || at.H < 1 || at.X+at.W > gridWidth {
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
		content, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range use.FindAllStringSubmatch(string(content), -1) {
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
		if d.UID+".json" != name || len(d.UID) > 40 || d.SchemaVersion != schemaVersion || !slices.Contains(d.Tags, tag) {
			t.Errorf("%s has the uid %q, schema %d and tags %q", name, d.UID, d.SchemaVersion, d.Tags)
		}
		byUID[d.UID] = true
	}
	link := regexp.MustCompile(`"/d/([\w-]+)`)
	for name, d := range read(t) {
		content, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(content), -1) {
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
					for _, title := range x.Options.(map[string]any)["renameByName"].(map[string]any) {
						titles = append(titles, title.(string))
					}
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
