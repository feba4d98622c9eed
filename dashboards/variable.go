package dashboards

import "fmt"

// A variable is chosen at the top of a dashboard and stands in its queries.
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

// A choice is what a variable is at first. Grafana fills in an empty one.
type choice struct {
	Text  string `json:"text,omitempty"`
	Value string `json:"value,omitempty"`
}

// A ref names a data source.
type ref struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// source is the data source that is chosen at the top.
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

// A labelQuery asks Prometheus for the values of a label.
type labelQuery struct {
	QueryType int    `json:"qryType"`
	Query     string `json:"query"`
	RefID     string `json:"refId"`
}

// labelVariable is the values that a label of a metric has.
func labelVariable(name, title, metric string) variable {
	query := fmt.Sprintf("label_values(%s, %s)", metric, name)
	return variable{
		Name: name, Label: title, Type: "query", Datasource: &source, Definition: query,
		Query:   labelQuery{QueryType: 1, Query: query, RefID: "PrometheusVariableQueryEditor-VariableQuery"},
		Refresh: refreshOnTimeRange, Sort: sortNatural, Options: []any{},
	}
}

// multi lets more than one value be chosen; at first all are.
func (v variable) multi() variable {
	v.Multi, v.IncludeAll, v.AllValue = true, true, ".*"
	v.Current = choice{Text: "All", Value: "$__all"}
	return v
}

// objectiveVariable is what share of requests is to be answered.
func objectiveVariable() variable {
	return variable{
		Name: "objective", Label: "Objective", Type: "custom", Query: "0.99, 0.995, 0.999, 0.9995, 0.9999",
		Current: choice{Text: "0.999", Value: "0.999"}, Options: []any{},
	}
}

// annotated is a query whose points are marked in every panel.
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
