package dashboards

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
