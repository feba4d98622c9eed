package main

import (
	"fmt"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Grafana's names of colours. A state always has a word besides its colour.
const (
	green  = "green"
	yellow = "yellow"
	orange = "orange"
	red    = "red"
	blue   = "blue"
	gray   = "#8e8e8e"
)

// gridWidth is the width of Grafana's grid.
const gridWidth = 24

type query = prometheus.DataqueryBuilder

func newQuery(expr string) *query {
	return prometheus.NewDataqueryBuilder().Datasource(source).Expr(expr).EditorMode(prometheus.QueryEditorModeCode)
}

// overRange returns a query of the values over the selected time range.
func overRange(expr, legend string) *query {
	return newQuery(expr).LegendFormat(legend).Range().Format(prometheus.PromQueryFormatTimeSeries)
}

// now returns a query of the newest values.
func now(expr string) *query {
	return newQuery(expr).Instant().Format(prometheus.PromQueryFormatTimeSeries)
}

// perInterval returns a query for each interval of a graph, with an expression over
// $__interval. An interval is at least a minute, so that it contains a scrape.
func perInterval(expr, legend string) *query { return overRange(expr, legend).Interval("1m") }

// lettered returns queries as targets of a panel, with the ids A, B, C, ...
func lettered(queries []*query) []cog.Builder[variants.Dataquery] {
	var targets []cog.Builder[variants.Dataquery]
	for i, q := range queries {
		targets = append(targets, q.RefId(string(rune('A'+i))))
	}
	return targets
}

// number returns a panel with one large number.
func number(title, description, expr string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source).Targets(lettered([]*query{now(expr)})).
		Span(4).Height(4).ColorScheme(byThresholds()).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Fields("").Values(false)).
		ColorMode(common.BigValueColorModeBackground).GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValue).Orientation(common.VizOrientationAuto)
}

// series returns a panel with lines over time.
func series(title, description string, queries ...*query) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(title).Description(description).Datasource(source).Targets(lettered(queries)).
		Span(12).Height(8).ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassic)).
		DrawStyle(common.GraphDrawStyleLine).LineWidth(1).FillOpacity(8).ShowPoints(common.VisibilityModeNever).
		Legend(legend()).Tooltip(tooltip(common.TooltipDisplayModeMulti, common.SortOrderDescending))
}

// bars returns a panel with stacked counts of events.
func bars(title, description string, queries ...*query) *timeseries.PanelBuilder {
	return series(title, description, queries...).DrawStyle(common.GraphDrawStyleBars).LineWidth(0).FillOpacity(90).
		Stacking(stacked()).Decimals(0).Min(0)
}

func stacked() cog.Builder[common.StackingConfig] {
	return common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A")
}

func legend() cog.Builder[common.VizLegendOptions] {
	return common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)
}

func tooltip(mode common.TooltipDisplayMode, order common.SortOrder) cog.Builder[common.VizTooltipOptions] {
	return common.NewVizTooltipOptionsBuilder().Mode(mode).Sort(order)
}

// timeline returns a panel with a coloured track for each series.
func timeline(title, description string, words []dashboard.ValueMapping, queries ...*query) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().Title(title).Description(description).Datasource(source).Targets(lettered(queries)).
		Span(12).Height(8).ColorScheme(byThresholds()).Mappings(words).LineWidth(0).FillOpacity(80).RowHeight(0.85).
		Legend(legend()).Tooltip(tooltip(common.TooltipDisplayModeSingle, common.SortOrderNone))
}

func byThresholds() cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)
}

// scale returns the base colour of values, and colours from limits on.
func scale(base string, limits ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: base}}, limits...))
}

// from returns the colour of values from a value on.
func from(value float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Color: color, Value: &value}
}

// A word is the text and colour of a value.
type word struct{ text, color string }

// numbered maps the values 0, 1, 2, ... to words.
func numbered(words ...word) []dashboard.ValueMapping {
	m := dashboard.NewValueMap()
	for i, w := range words {
		m.Options[strconv.Itoa(i)] = dashboard.ValueMappingResult{Text: &w.text, Color: &w.color, Index: new(int32(i))}
	}
	return []dashboard.ValueMapping{{ValueMap: m}}
}

// mapped maps values to words.
func mapped(words map[string]word) []dashboard.ValueMapping {
	m := dashboard.NewValueMap()
	for value, w := range words {
		m.Options[value] = dashboard.ValueMappingResult{Text: &w.text, Color: &w.color}
	}
	return []dashboard.ValueMapping{{ValueMap: m}}
}

// A column of a table: the value of a query, or a label where Expr is empty.
type column struct {
	Name  string // title; "": hidden
	Label string // label to show, if Expr is ""
	Expr  string
	Props []property
}

type property = dashboard.DynamicConfigValue

// rows returns a table with a row for each label set of its queries.
func rows(title, description string, columns ...column) *table.PanelBuilder {
	var queries []*query
	exclude, index, rename := map[string]bool{"Time": true}, map[string]int{}, map[string]string{}
	for i, c := range columns {
		field := c.Label
		if c.Expr != "" {
			field = fmt.Sprintf("Value #%c", 'A'+len(queries))
			queries = append(queries, newQuery(c.Expr).Instant().Format(prometheus.PromQueryFormatTable))
		}
		if c.Name == "" {
			exclude[field] = true
			continue
		}
		index[field], rename[field] = i, c.Name
	}
	if len(queries) == 1 { // Grafana names the value of a single query otherwise
		exclude["Value"] = exclude["Value #A"]
		if name, ok := rename["Value #A"]; ok {
			rename["Value"], index["Value"] = name, index["Value #A"]
		}
	}
	p := table.NewPanelBuilder().Title(title).Description(description).Datasource(source).Targets(lettered(queries)).
		Span(12).Height(8).ColorScheme(byThresholds()).CellHeight(common.TableCellHeightSm).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: struct{}{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": exclude, "indexByName": index, "renameByName": rename,
		}})
	for _, c := range columns {
		if len(c.Props) > 0 {
			p.OverrideByName(c.Name, c.Props)
		}
	}
	return p
}

// cells sets how the cells of a column show their values.
func cells(options map[string]string) property {
	return property{Id: "custom.cellOptions", Value: options}
}

// asWords shows values as coloured words.
func asWords(words []dashboard.ValueMapping) []property {
	return []property{{Id: "mappings", Value: words}, cells(map[string]string{"type": "color-background", "mode": "basic"})}
}

// asSeverity colours severities.
func asSeverity() []property {
	return asWords(mapped(map[string]word{"critical": {"critical", red}, "warning": {"warning", yellow}, "info": {"info", blue}}))
}

// asCount hides the fractions of counts that increase() extrapolates.
func asCount() []property { return []property{{Id: "decimals", Value: 0}} }

// asPercentage shows estimated shares without decimals.
func asPercentage() []property { return append(asUnit("percentunit"), asCount()...) }

func asUnit(unit string) []property { return []property{{Id: "unit", Value: unit}} }

// asShare shows shares with two decimals and in colour: red below all limits.
func asShare(limits ...dashboard.Threshold) []property {
	thresholds, _ := scale(red, limits...).Build() // nothing in it can be wrong
	return append(asUnit("percentunit"), property{Id: "decimals", Value: 2}, property{Id: "thresholds", Value: thresholds}, cells(map[string]string{"type": "color-text"}))
}

// leadsTo turns the values of a column into links.
func leadsTo(title, url string) []property {
	return []property{{Id: "links", Value: []map[string]string{{"title": title, "url": url}}}}
}
