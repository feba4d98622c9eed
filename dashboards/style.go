package dashboards

import "strconv"

// Grafana's names of colours. A state is told by a word as well, never by a
// colour alone.
const (
	green  = "green"
	yellow = "yellow"
	orange = "orange"
	red    = "red"
	blue   = "blue"
	gray   = "#8e8e8e"
)

// sized sets how much of the grid a panel takes.
func (p panel) sized(w, h int) panel {
	p.GridPos.W, p.GridPos.H = w, h
	return p
}

// in sets the unit of the values: Grafana's id of it.
func (p panel) in(unit string) panel {
	p.FieldConfig.Defaults.Unit = unit
	return p
}

// share shows values from 0 to 1 as percent with that many decimals.
func (p panel) share(decimals int) panel {
	p = p.in("percentunit")
	p.FieldConfig.Defaults.Decimals, p.FieldConfig.Defaults.Max = new(decimals), new(1.0)
	return p
}

// withMapping gives the values words.
func (p panel) withMapping(m mapping) panel {
	p.FieldConfig.Defaults.Mappings = []mapping{m}
	return p
}

// noValue says what stands where there is no value.
func (p panel) noValue(text string) panel {
	p.FieldConfig.Defaults.NoValue = text
	return p
}

// colored sets the colour of all values, and those from limits on.
func (p panel) colored(base string, limits ...step) panel {
	p.FieldConfig.Defaults.Thresholds = scale(base, limits...)
	return p
}

func scale(base string, limits ...step) *thresholds {
	return &thresholds{Mode: "absolute", Steps: append([]step{{Color: base}}, limits...)}
}

// from is a colour from a value on.
func from(value float64, color string) step { return step{Color: color, Value: &value} }

// A valueText is the word and colour of the value at its place in a list.
type valueText struct{ text, color string }

// valueMapping are the words of the values 0, 1, 2, ...
func valueMapping(all ...valueText) mapping {
	m := mapping{Type: "value", Options: make(map[string]word)}
	for i, a := range all {
		m.Options[strconv.Itoa(i)] = word{Text: a.text, Color: a.color, Index: i}
	}
	return m
}
