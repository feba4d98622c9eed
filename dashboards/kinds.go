package dashboards

// row returns a title above the following panels.
func row(title string) panel {
	return panel{Type: "row", Title: title, GridPos: gridPos{W: gridWidth, H: 1}, Collapsed: new(false), Panels: []panel{}}
}

// newPanel returns a panel with queries, whose ids are letters from A on.
func newPanel(kind, title, description string, queries []query) panel {
	for i := range queries {
		queries[i].RefID, queries[i].Datasource = string(rune('A'+i)), source
	}
	return panel{
		Type: kind, Title: title, Description: description, Datasource: &source, Targets: queries,
		FieldConfig: &fieldConfig{
			Defaults:  field{Color: color{Mode: "thresholds"}, Mappings: []mapping{}},
			Overrides: []override{},
		},
	}
}

// overRange returns a query of the values over the selected time range.
func overRange(expr, legend string) query {
	return query{Expr: expr, LegendFormat: legend, Range: true, Format: "time_series", EditorMode: "code"}
}

// now returns a query of the newest values.
func now(expr string) query {
	return query{Expr: expr, Instant: true, Format: "time_series", EditorMode: "code"}
}

// perInterval returns a query for each interval of a graph, with an expression over
// $__interval. An interval is at least a minute, so that it contains a scrape.
func perInterval(expr, legend string) query {
	q := overRange(expr, legend)
	q.Interval = "1m"
	return q
}

// stat returns a panel with one large number.
func stat(title, description, expr string) panel {
	p := newPanel("stat", title, description, []query{now(expr)}).sized(4, 4)
	p.Options = statOptions{
		ReduceOptions: reduction{Calcs: []string{"lastNotNull"}},
		ColorMode:     "background", GraphMode: "none", JustifyMode: "auto", TextMode: "value", Orientation: "auto", WideLayout: true,
	}
	return p
}

type statOptions struct {
	ReduceOptions reduction `json:"reduceOptions"`
	ColorMode     string    `json:"colorMode"`
	GraphMode     string    `json:"graphMode"`
	JustifyMode   string    `json:"justifyMode"`
	TextMode      string    `json:"textMode"`
	Orientation   string    `json:"orientation"`
	WideLayout    bool      `json:"wideLayout"`
}

type reduction struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

// series returns a panel with lines over time.
func series(title, description string, queries ...query) panel {
	p := newPanel("timeseries", title, description, queries).sized(12, 8)
	p.FieldConfig.Defaults.Color.Mode = "palette-classic"
	p.FieldConfig.Defaults.Custom = lines{DrawStyle: "line", LineWidth: 1, FillOpacity: 8, ShowPoints: "never", Stacking: stacking{Mode: "none"}}
	p.Options = graphOptions{Legend: legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true}, Tooltip: tooltip{"multi", "desc"}}
	return p
}

// bars returns a panel with stacked counts of events.
func bars(title, description string, queries ...query) panel {
	p := series(title, description, queries...)
	p.FieldConfig.Defaults.Custom = lines{DrawStyle: "bars", LineWidth: 0, FillOpacity: 90, ShowPoints: "never", Stacking: stacking{Mode: "normal", Group: "A"}}
	p.FieldConfig.Defaults.Decimals, p.FieldConfig.Defaults.Min = new(0), new(0.0)
	return p
}

// stacked stacks the lines of a panel.
func (p panel) stacked() panel {
	p.FieldConfig.Defaults.Custom = lines{DrawStyle: "line", LineWidth: 1, FillOpacity: 40, ShowPoints: "never", Stacking: stacking{Mode: "normal", Group: "A"}}
	return p
}

type lines struct {
	DrawStyle   string   `json:"drawStyle"`
	LineWidth   int      `json:"lineWidth"`
	FillOpacity int      `json:"fillOpacity"`
	ShowPoints  string   `json:"showPoints"`
	Stacking    stacking `json:"stacking"`
}

type stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group,omitempty"`
}

type graphOptions struct {
	Legend  legend  `json:"legend"`
	Tooltip tooltip `json:"tooltip"`
}

type legend struct {
	DisplayMode string `json:"displayMode"`
	Placement   string `json:"placement"`
	ShowLegend  bool   `json:"showLegend"`
}

type tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

// timeline returns a panel with a coloured track for each series.
func timeline(title, description string, valueText mapping, queries ...query) panel {
	p := newPanel("state-timeline", title, description, queries).sized(12, 8)
	p.FieldConfig.Defaults.Mappings = []mapping{valueText}
	p.FieldConfig.Defaults.Custom = stateTimelineCustom{LineWidth: 0, FillOpacity: 80}
	p.Options = timelineOptions{
		MergeValues: true, ShowValue: "auto", AlignValue: "left", RowHeight: 0.85,
		Legend: legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true}, Tooltip: tooltip{"single", "none"},
	}
	return p
}

type stateTimelineCustom struct {
	LineWidth   int `json:"lineWidth"`
	FillOpacity int `json:"fillOpacity"`
}

type timelineOptions struct {
	MergeValues bool    `json:"mergeValues"`
	ShowValue   string  `json:"showValue"`
	AlignValue  string  `json:"alignValue"`
	RowHeight   float64 `json:"rowHeight"`
	Legend      legend  `json:"legend"`
	Tooltip     tooltip `json:"tooltip"`
}
