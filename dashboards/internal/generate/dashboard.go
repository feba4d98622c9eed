// Command generate writes the Grafana dashboards with Grafana's builders. The dashboards are
// code, because the JSON of a panel has eighty lines of which three matter.
//
//	go run ./internal/generate grafana
package main

//lint:file-ignore SA1019 Grafana 11 cannot import the dashboards of package dashboardv2

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	all, err := generated()
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range all {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), content, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generated returns the JSON of the dashboards by file name.
func generated() (map[string][]byte, error) {
	byName := make(map[string][]byte)
	for _, b := range []*builder{overview(), cluster()} {
		d, err := b.Build()
		if err != nil {
			return nil, err
		}
		content, err := export(d)
		if err != nil {
			return nil, fmt.Errorf("encoding dashboard %q: %w", *d.Title, err)
		}
		byName[*d.Uid+".json"] = content
	}
	return byName, nil
}

// schemaVersion is the schema of Grafana 11.0. Newer versions migrate it on import. The
// builders write the newest one, but the parts that we use are the same in both.
const schemaVersion = 39

// export returns a dashboard for the import into Grafana.
func export(d dashboard.Dashboard) ([]byte, error) {
	d.SchemaVersion = schemaVersion
	for i := range d.Panels {
		id := uint32(i + 1)
		if p := d.Panels[i].Panel; p != nil {
			p.Id = &id
		} else {
			d.Panels[i].RowPanel.Id = id
		}
	}
	for i := range d.Links {
		d.Links[i].Placement = nil // above the panels, not in a menu
	}
	for i := range d.Annotations.List {
		d.Annotations.List[i].Placement = nil
	}
	content, err := json.MarshalIndent(struct {
		Requires []requirement `json:"__requires"`
		dashboard.Dashboard
	}{requirements, d}, "", "  ")
	if err != nil {
		return nil, err
	}
	// the file is no HTML, and its expressions are to be read
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(content)) + "\n"), nil
}

// A requirement is checked by Grafana's import.
type requirement struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

var requirements = []requirement{
	{Type: "grafana", ID: "grafana", Name: "Grafana", Version: "11.0.0"},
	{Type: "datasource", ID: "prometheus", Name: "Prometheus", Version: "1.0.0"},
}

// tag is the tag of our dashboards, which link to each other by it.
const tag = "stickwatch"

// newDashboard returns a dashboard without panels.
func newDashboard(uid, title, description string) *builder {
	return dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).Tags([]string{tag}).Version(1).Editable().
		Refresh("30s").Timezone("browser").Time("now-6h", "now").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("stickwatch").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{tag}).
			IncludeVars(true).KeepTime(true).Icon("external link"))
}

// A builder builds a dashboard, and a panel builds a panel.
type (
	builder = dashboard.DashboardBuilder
	panel   = cog.Builder[dashboard.Panel]
)

// addRow adds a title and the panels below it, from left to right.
func addRow(d *builder, title string, panels ...panel) {
	d.WithRow(dashboard.NewRowBuilder(title))
	for _, p := range panels {
		d.WithPanel(p)
	}
}

// source is the data source that is selected in the header of a dashboard.
var source = common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}

func datasourceVariable() cog.Builder[dashboard.VariableModel] {
	return dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")
}

// labelVariable returns a variable with the values of a label of a metric.
func labelVariable(name, title, metric string) *dashboard.QueryVariableBuilder {
	query := fmt.Sprintf("label_values(%s, %s)", metric, name)
	return dashboard.NewQueryVariableBuilder(name).Label(title).Datasource(source).Definition(query).
		Query(dashboard.StringOrMap{Map: map[string]any{
			"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery",
		}}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortNaturalAsc)
}

// severalOf allows several values of a variable; initially all are selected.
func severalOf(v *dashboard.QueryVariableBuilder) cog.Builder[dashboard.VariableModel] {
	return v.Multi(true).IncludeAll(true).AllValue(".*").Current(option("All", "$__all"))
}

func option(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Text: dashboard.StringOrArrayOfString{String: &text}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// objectiveVariable returns the variable of the service level objective.
func objectiveVariable() cog.Builder[dashboard.VariableModel] {
	return dashboard.NewCustomVariableBuilder("objective").Label("Objective").
		Values(dashboard.StringOrMap{String: new("0.99, 0.995, 0.999, 0.9995, 0.9999")}).Current(option("0.999", "0.999"))
}

// annotation returns a query whose results are marked in every panel.
func annotation(name, color, expr, title, text string) cog.Builder[dashboard.AnnotationQuery] {
	return dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(source).Enable(true).IconColor(color).
		Expr(expr).Step("1m").TitleFormat(title).TextFormat(text).TagKeys("cluster")
}
