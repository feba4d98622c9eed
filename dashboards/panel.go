package dashboards

import (
	"strconv"
)

// A panel is a visualisation on a dashboard, or the title of a row.
type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	GridPos         gridPos          `json:"gridPos"`
	Datasource      *ref             `json:"datasource,omitempty"`
	Targets         []query          `json:"targets,omitempty"`
	FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
	Options         any              `json:"options,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
	Collapsed       *bool            `json:"collapsed,omitempty"` // of a row
	Panels          []panel          `json:"panels,omitzero"`     // of a collapsed row
}

// A gridPos is the position and size of a panel in Grafana's grid.
type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// A query is a query of a panel.
type query struct {
	RefID        string `json:"refId"`
	Datasource   ref    `json:"datasource"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat,omitempty"`
	Interval     string `json:"interval,omitempty"` // minimum step
	Instant      bool   `json:"instant"`
	Range        bool   `json:"range"`
	Format       string `json:"format"`
	EditorMode   string `json:"editorMode"`
}

// A fieldConfig defines the display of values: defaults, and overrides by name.
type fieldConfig struct {
	Defaults  field      `json:"defaults"`
	Overrides []override `json:"overrides"`
}

type field struct {
	Unit       string      `json:"unit,omitempty"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Max        *float64    `json:"max,omitempty"`
	NoValue    string      `json:"noValue,omitempty"`
	Color      color       `json:"color"`
	Mappings   []mapping   `json:"mappings"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
	Custom     any         `json:"custom,omitempty"`
}

type color struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// A step is the colour of values from Value on; nil: of all values.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// A mapping maps values to words and colours.
type mapping struct {
	Type    string          `json:"type"`
	Options map[string]word `json:"options"`
}

type word struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

type transformation struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

// Grafana's names of colours. A state always has a word besides its colour.
const (
	green  = "green"
	yellow = "yellow"
	orange = "orange"
	red    = "red"
	blue   = "blue"
	gray   = "#8e8e8e"
)

// sized sets the size of a panel in the grid.
func (p panel) sized(w, h int) panel {
	p.GridPos.W, p.GridPos.H = w, h
	return p
}

// in sets the unit of the values, by Grafana's id.
func (p panel) in(unit string) panel {
	p.FieldConfig.Defaults.Unit = unit
	return p
}

// share shows values from 0 to 1 as percentages with a number of decimals.
func (p panel) share(decimals int) panel {
	p = p.in("percentunit")
	p.FieldConfig.Defaults.Decimals, p.FieldConfig.Defaults.Max = new(decimals), new(1.0)
	return p
}

// withMapping shows values as words.
func (p panel) withMapping(m mapping) panel {
	p.FieldConfig.Defaults.Mappings = []mapping{m}
	return p
}

// noValue sets the text for a missing value.
func (p panel) noValue(text string) panel {
	p.FieldConfig.Defaults.NoValue = text
	return p
}

// colored sets the base colour of values, and colours from limits on.
func (p panel) colored(base string, limits ...step) panel {
	p.FieldConfig.Defaults.Thresholds = scale(base, limits...)
	return p
}

func scale(base string, limits ...step) *thresholds {
	return &thresholds{Mode: "absolute", Steps: append([]step{{Color: base}}, limits...)}
}

// from returns the colour of values from a value on.
func from(value float64, color string) step { return step{Color: color, Value: &value} }

// A valueText is the word and colour of a value.
type valueText struct{ text, color string }

// valueMapping maps the values 0, 1, 2, ... to words.
func valueMapping(all ...valueText) mapping {
	m := mapping{Type: "value", Options: make(map[string]word)}
	for i, a := range all {
		m.Options[strconv.Itoa(i)] = word{Text: a.text, Color: a.color, Index: i}
	}
	return m
}

// gridWidth is the width of Grafana's grid.
const gridWidth = 24

// arrange numbers panels and places them from left to right. A panel that does not fit
// begins a new line below the highest one.
func arrange(panels ...panel) []panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		p.ID = i + 1
		if x+p.GridPos.W > gridWidth {
			x, y, height = 0, y+height, 0
		}
		p.GridPos.X, p.GridPos.Y = x, y
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
	return panels
}
