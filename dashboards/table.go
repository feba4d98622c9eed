package dashboards

import (
	"fmt"
)

// A column of a table: the value of a query, or a label where Expr is empty.
type column struct {
	Name  string // title; "": hidden
	Label string // label to show, if Expr is ""
	Expr  string
	Props []property
}

// table returns a panel with a row for each label set of its queries.
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

// single adapts the field names to a table with one query: Grafana names its value
// "Value" instead of "Value #A".
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

// sortedBy sets the initial sort column of a table.
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

// asWords shows values as coloured words.
func asWords(m mapping) []property {
	return []property{{"mappings", []mapping{m}}, {"custom.cellOptions", cell{Type: "color-background", Mode: "basic"}}}
}

// asSeverity colours severities.
func asSeverity() []property {
	words := mapping{Type: "value", Options: map[string]word{
		"critical": {Text: "critical", Color: red, Index: 0},
		"warning":  {Text: "warning", Color: yellow, Index: 1},
		"info":     {Text: "info", Color: blue, Index: 2},
	}}
	return asWords(words)
}

// asCount hides the fractions of counts that increase() extrapolates.
func asCount() []property { return []property{{"decimals", 0}} }

// asPercentage shows estimated shares without decimals.
func asPercentage() []property { return []property{{"unit", "percentunit"}, {"decimals", 0}} }

func asUnit(unit string) []property { return []property{{"unit", unit}} }

// asShare shows shares with two decimals and in colour.
func asShare(base string, limits ...step) []property {
	return []property{
		{"unit", "percentunit"},
		{"decimals", 2},
		{"thresholds", scale(base, limits...)},
		{"custom.cellOptions", cell{Type: "color-text"}},
	}
}

// leadsTo turns the values of a column into links.
func leadsTo(title, url string) []property {
	return []property{{"links", []cellLink{{Title: title, URL: url}}}}
}

type cellLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}
