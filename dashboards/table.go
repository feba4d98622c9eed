package dashboards

import (
	"fmt"
)

// A column of a table: the value of a query, or a label where Expr is empty.
type column struct {
	Name  string // its title; "": it is not shown
	Label string // the label it shows, of a column without Expr
	Expr  string
	Props []property
}

// table is a line for each set of labels that its queries have.
func table(title, description string, columns ...column) panel {
	var queries []query
	organize := organizeOptions{Exclude: map[string]bool{"Time": true}, Index: make(map[string]int), Rename: make(map[string]string)}
	for i, c := range columns {
		field := c.Label
		if c.Expr != "" {
			field = fmt.Sprintf("Value #%c", 'A'+len(queries))
			queries = append(queries, query{Expr: c.Expr, Instant: true, Format: "table", EditorMode: "code"})
		}
		if c.Name == "" {
			organize.Exclude[field] = true
			continue
		}
		organize.Index[field], organize.Rename[field] = i, c.Name
	}
	if len(queries) == 1 {
		organize.single()
	}
	p := newPanel("table", title, description, queries).sized(12, 8)
	p.FieldConfig.Defaults.Custom = cells{Align: "auto", CellOptions: cell{Type: "auto"}}
	p.Options = tableOptions{ShowHeader: true, CellHeight: "sm"}
	p.Transformations = []transformation{{"merge", struct{}{}}, {"organize", organize}}
	for _, c := range columns {
		if len(c.Props) > 0 {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{"byName", c.Name}, c.Props})
		}
	}
	return p
}

type organizeOptions struct {
	Exclude map[string]bool   `json:"excludeByName"`
	Index   map[string]int    `json:"indexByName"`
	Rename  map[string]string `json:"renameByName"`
}

// single is for a table with one query, whose value Grafana does not letter.
func (o organizeOptions) single() {
	const lettered, plain = "Value #A", "Value"
	if o.Exclude[lettered] {
		o.Exclude[plain] = true
		return
	}
	o.Rename[plain], o.Index[plain] = o.Rename[lettered], o.Index[lettered]
}

type tableOptions struct {
	ShowHeader bool     `json:"showHeader"`
	CellHeight string   `json:"cellHeight"`
	SortBy     []sortBy `json:"sortBy,omitempty"`
}

type sortBy struct {
	DisplayName string `json:"displayName"`
	Desc        bool   `json:"desc"`
}

// sortedBy sets the column that a table is sorted by at first.
func (p panel) sortedBy(name string) panel {
	options := p.Options.(tableOptions)
	options.SortBy = []sortBy{{DisplayName: name}}
	p.Options = options
	return p
}

type cells struct {
	Align       string `json:"align"`
	CellOptions cell   `json:"cellOptions"`
}

type cell struct {
	Type string `json:"type"`
	Mode string `json:"mode,omitempty"`
}

// What cells of a table look like.

func asWords(m mapping) []property {
	return []property{{"mappings", []mapping{m}}, {"custom.cellOptions", cell{Type: "color-background", Mode: "basic"}}}
}

// asSeverity colours the words that severities are.
func asSeverity() []property {
	words := mapping{Type: "value", Options: map[string]word{
		"critical": {Text: "critical", Color: red, Index: 0},
		"warning":  {Text: "warning", Color: yellow, Index: 1},
		"info":     {Text: "info", Color: blue, Index: 2},
	}}
	return asWords(words)
}

// asCount is for counts that increase() has extrapolated.
func asCount() []property { return []property{{"decimals", 0}} }

// asPercentage is for shares that are estimates.
func asPercentage() []property { return []property{{"unit", "percentunit"}, {"decimals", 0}} }

func asUnit(unit string) []property { return []property{{"unit", unit}} }

func asShare(base string, limits ...step) []property {
	return []property{
		{"unit", "percentunit"},
		{"decimals", 2},
		{"thresholds", scale(base, limits...)},
		{"custom.cellOptions", cell{Type: "color-text"}},
	}
}

// leadsTo makes a column's values links.
func leadsTo(title, url string) []property {
	return []property{{"links", []cellLink{{Title: title, URL: url}}}}
}

type cellLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}
