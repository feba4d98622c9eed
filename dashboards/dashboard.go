package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// schemaVersion is the schema of Grafana 11.0. Newer versions migrate it on import.
const schemaVersion = 39

// A Dashboard is a Grafana dashboard with the fields that ours use. The names are from
// Grafana's dashboard schema.
type Dashboard struct {
	Requires      []requirement   `json:"__requires"`
	UID           string          `json:"uid"`
	Title         string          `json:"title"`
	Description   string          `json:"description"`
	Tags          []string        `json:"tags"`
	SchemaVersion int             `json:"schemaVersion"`
	Version       int             `json:"version"`
	Editable      bool            `json:"editable"`
	Refresh       string          `json:"refresh"`
	Timezone      string          `json:"timezone"`
	GraphTooltip  int             `json:"graphTooltip"` // 1: one crosshair for all panels
	Time          timeRange       `json:"time"`
	Templating    list[variable]  `json:"templating"`
	Annotations   list[annotated] `json:"annotations"`
	Links         []link          `json:"links"`
	Panels        []panel         `json:"panels"`
}

type requirement struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type list[T any] struct {
	List []T `json:"list"`
}

// A link in the header of a dashboard leads to the dashboards of a tag.
type link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	URL         string   `json:"url"`
}

// tag is the tag of our dashboards, which link to each other by it.
const tag = "stickwatch"

// newDashboard returns a dashboard without panels.
func newDashboard(uid, title, description string) Dashboard {
	return Dashboard{
		Requires: []requirement{
			{Type: "grafana", ID: "grafana", Name: "Grafana", Version: "11.0.0"},
			{Type: "datasource", ID: "prometheus", Name: "Prometheus", Version: "1.0.0"},
		},
		UID: uid, Title: title, Description: description, Tags: []string{tag},
		SchemaVersion: schemaVersion, Version: 1, Editable: true,
		Refresh: "30s", Timezone: "browser", GraphTooltip: 1, Time: timeRange{From: "now-6h", To: "now"},
		Links: []link{{
			Title: "stickwatch", Type: "dashboards", Tags: []string{tag},
			IncludeVars: true, KeepTime: true, Icon: "external link",
		}},
	}
}

// JSON returns the dashboard for the import into Grafana.
func (d Dashboard) JSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("encoding dashboard %q: %w", d.Title, err)
	}
	return b.Bytes(), nil
}

// A variable is selected in the header of a dashboard and used in its queries.
type variable struct {
	Name       string `json:"name"`
	Label      string `json:"label"`
	Type       string `json:"type"`
	Query      any    `json:"query"`
	Definition string `json:"definition,omitempty"`
	Datasource *ref   `json:"datasource,omitempty"`
	Refresh    int    `json:"refresh"`
	Sort       int    `json:"sort"`
	Multi      bool   `json:"multi"`
	IncludeAll bool   `json:"includeAll"`
	AllValue   string `json:"allValue,omitempty"`
	Current    choice `json:"current"`
	Options    []any  `json:"options"`
	Regex      string `json:"regex"`
	Hide       int    `json:"hide"`
}

// A choice is the initial value of a variable. Grafana selects one if it is empty.
type choice struct {
	Text  string `json:"text,omitempty"`
	Value string `json:"value,omitempty"`
}

// A ref names a data source.
type ref struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// source is the selected data source.
var source = ref{Type: "prometheus", UID: "${datasource}"}

const (
	refreshOnLoad      = 1
	refreshOnTimeRange = 2
	sortNatural        = 7
)

func datasourceVariable() variable {
	return variable{
		Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus",
		Refresh: refreshOnLoad, Options: []any{},
	}
}

// A labelQuery queries Prometheus for the values of a label.
type labelQuery struct {
	QueryType int    `json:"qryType"`
	Query     string `json:"query"`
	RefID     string `json:"refId"`
}

// labelVariable returns a variable with the values of a label of a metric.
func labelVariable(name, title, metric string) variable {
	query := fmt.Sprintf("label_values(%s, %s)", metric, name)
	return variable{
		Name: name, Label: title, Type: "query", Datasource: &source, Definition: query,
		Query:   labelQuery{QueryType: 1, Query: query, RefID: "PrometheusVariableQueryEditor-VariableQuery"},
		Refresh: refreshOnTimeRange, Sort: sortNatural, Options: []any{},
	}
}

// multi allows several values; initially all are selected.
func (v variable) multi() variable {
	v.Multi, v.IncludeAll, v.AllValue = true, true, ".*"
	v.Current = choice{Text: "All", Value: "$__all"}
	return v
}

// objectiveVariable returns the variable of the service level objective.
func objectiveVariable() variable {
	return variable{
		Name: "objective", Label: "Objective", Type: "custom", Query: "0.99, 0.995, 0.999, 0.9995, 0.9999",
		Current: choice{Text: "0.999", Value: "0.999"}, Options: []any{},
	}
}

// annotated is a query whose results are marked in every panel.
type annotated struct {
	Name        string `json:"name"`
	Datasource  ref    `json:"datasource"`
	Enable      bool   `json:"enable"`
	Hide        bool   `json:"hide"`
	IconColor   string `json:"iconColor"`
	Expr        string `json:"expr"`
	Step        string `json:"step"`
	TitleFormat string `json:"titleFormat"`
	TextFormat  string `json:"textFormat"`
	TagKeys     string `json:"tagKeys"`
}

func annotation(name, color, expr, title, text string) annotated {
	return annotated{
		Name: name, Datasource: source, Enable: true, IconColor: color,
		Expr: expr, Step: "1m", TitleFormat: title, TextFormat: text, TagKeys: "cluster",
	}
}
