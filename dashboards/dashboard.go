package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// schemaVersion is that of Grafana 11.0; later ones migrate it when they load it.
const schemaVersion = 39

// A Dashboard is one of Grafana's, as far as ours go. The names are Grafana's
// own, from its dashboard schema.
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

// A link at the top leads to the dashboards of a tag.
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

// tag marks our dashboards, so that each links to the others.
const tag = "stickwatch"

// newDashboard is a dashboard with everything but its content.
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

// JSON is the dashboard as Grafana imports it.
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
