package web

import (
	"maps"
	"net/url"
	"time"
)

// spanName returns the name of a span that can be selected.
func (v viewContext) spanName(d time.Duration) string {
	if d < time.Hour {
		return v.translate("%d min", int(d.Minutes()))
	}
	if d < 48*time.Hour {
		return v.translate("%d h", int(d.Hours()))
	}
	return v.translate("%d d", int(d.Hours())/24)
}

// A rangeLink selects the span of a page.
type rangeLink struct {
	Name, Link string
	Current    bool
}

// pageRanges are the spans that can be selected, by their value in the query.
var pageRanges = []struct {
	value string
	span  time.Duration
}{
	{"1h", time.Hour},
	{"6h", 6 * time.Hour},
	{"24h", 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour},
	{"30d", 30 * 24 * time.Hour},
	{"90d", uptimeDays * 24 * time.Hour},
}

// rangeOf returns the span of a value; 0: the shortest that shows everything.
func rangeOf(value string) time.Duration {
	for _, choice := range pageRanges {
		if choice.value == value {
			return choice.span
		}
	}
	return 0
}

// rangeLinks returns links to a page with each span; none is the name of that without one.
func (v viewContext) rangeLinks(page string, query url.Values, none string, selected time.Duration) []rangeLink {
	links := []rangeLink{{none, with(page, query, "range", ""), selected == 0}}
	for _, choice := range pageRanges {
		links = append(links, rangeLink{v.spanName(choice.span), with(page, query, "range", choice.value), choice.span == selected})
	}
	return links
}

// with returns a link to a page with a value in its query; "" removes the value.
func with(page string, query url.Values, key, value string) string {
	changed := url.Values{}
	maps.Copy(changed, query)
	if value == "" {
		changed.Del(key)
	} else {
		changed.Set(key, value)
	}
	if len(changed) == 0 {
		return page
	}
	return page + "?" + changed.Encode()
}
