package web

import (
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A LinkTemplate is a configured link to another tool. Its URL is an http or https address
// that may have placeholders such as {cluster} after its host.
type LinkTemplate struct{ Name, URL string }

// SetLinks changes Config.Links.
func (s *Server) SetLinks(links []LinkTemplate) { s.links.Store(&links) }

// An externalLink is a LinkTemplate with its values filled in.
type externalLink struct{ Name, URL string }

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// expand replaces the placeholders of a link by query-escaped values between ? and #, and by
// path-escaped ones elsewhere. It returns false if a value is missing or empty.
func (l LinkTemplate) expand(values map[string]string) (link string, ok bool) {
	var out strings.Builder
	last := 0
	for _, at := range placeholder.FindAllStringIndex(l.URL, -1) {
		value := values[l.URL[at[0]+1:at[1]-1]]
		if value == "" {
			return "", false
		}
		escape := url.PathEscape
		if before := l.URL[:at[0]]; strings.Contains(before, "?") && !strings.Contains(before, "#") {
			escape = url.QueryEscape
		}
		out.WriteString(l.URL[last:at[0]] + escape(value))
		last = at[1]
	}
	return out.String() + l.URL[last:], true
}

// externalLinks returns the configured links for which all values are known.
func (s *Server) externalLinks(values map[string]string, span checks.Span) []externalLink {
	values = maps.Clone(values)
	values["from"], values["to"] = strconv.FormatInt(span.From.UnixMilli(), 10), strconv.FormatInt(span.To.UnixMilli(), 10)
	var links []externalLink
	for _, l := range *s.links.Load() {
		if to, ok := l.expand(values); ok {
			links = append(links, externalLink{probes.Clean(l.Name, maxWord), to})
		}
	}
	return links
}

// linksOf returns the links about an incident.
func (s *Server) linksOf(i alerting.Incident, now time.Time) []externalLink {
	span := checks.Span{From: i.Started.Add(-alerting.AroundIncident), To: now}
	if !i.Ended.IsZero() {
		span.To = i.Ended.Add(alerting.AroundIncident)
	}
	return s.externalLinks(map[string]string{"cluster": i.Cluster, "node": i.Cause.Node, "code": string(i.Cause.Code), "incident": i.ID}, span)
}
