package message

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A Writer creates messages. The zero Writer creates messages in English without
// links and with times in UTC.
type Writer struct {
	Language alerting.Language // "": English
	Page     *url.URL          // the status page; nil: no links to it
	Grafana  *url.URL          // a dashboard; nil: no links to it
	Zone     *time.Location    // for times; nil: UTC
}

// Write creates the message of a notification.
func (w Writer) Write(notification alerting.Notification) Message {
	if notification.Deployment != nil {
		return w.writeDeployment(notification)
	}
	l, incident := w.labels(), notification.Incident.InZone(w.zone())
	message := Message{
		Kind:         notification.Kind,
		Severity:     incident.Severity,
		Resolved:     notification.Kind == alerting.NotificationResolved || incident.State == alerting.Resolved,
		Summary:      probes.Clean(w.Language.Summary(incident), maxLine),
		Facts:        w.notificationFacts(notification),
		Evidence:     w.evidenceSection(incident, notification.At),
		Consequences: Section{l.consequences, w.consequences(incident)},
		News:         Section{w.timed(l.news, notification.At), w.news(alerting.EventsInZone(notification.News, w.zone()))},
		Links:        w.links(incident),
		colon:        l.colon,
	}
	if remedy := probes.Clean(w.Language.Advice(incident), maxLine); remedy != "" && !message.Resolved {
		message.Remedy = Section{l.remedy, []string{remedy}}
	}
	message.Headline = w.headline(message, incident)
	message.Closing = w.closing(message, notification)
	return message
}

func (w Writer) headline(m Message, i alerting.Incident) string {
	l := w.labels()
	state := l.severities[i.Severity]
	if m.Resolved {
		state = l.resolved
	}
	return fmt.Sprintf(l.headline, state, w.names(i.ClusterNames()), w.title(i.Cause.Code))
}

func (w Writer) closing(m Message, n alerting.Notification) string {
	l, i := w.labels(), n.Incident
	switch {
	case i.MergedInto != "":
		return fmt.Sprintf(l.merged, name(i.MergedInto))
	case m.Resolved:
		return fmt.Sprintf(l.resolvedAfter, w.duration(i.Duration(n.At)), len(i.Findings), l.severities[i.Severity])
	case !i.Acknowledged.IsZero():
		return w.acknowledged(i.Acknowledged)
	case m.Kind == alerting.NotificationReminder:
		return fmt.Sprintf(l.ongoingFor, w.duration(i.Duration(n.At)))
	default:
		return ""
	}
}

// acknowledged says who has acknowledged an incident, when, and with which note.
func (w Writer) acknowledged(a alerting.Acknowledgement) string {
	l := w.labels()
	text := fmt.Sprintf(l.acknowledged, cmp.Or(name(a.By), l.somebody), w.moment(a.At))
	if a.Note != "" {
		text += l.colon + probes.Clean(a.Note, maxLine)
	}
	return text
}

// timed returns the label of lines with times of day, with their zone.
func (w Writer) timed(label string, at time.Time) string {
	return label + fmt.Sprintf(w.labels().zone, at.In(w.zone()).Format("MST"))
}

func (w Writer) evidenceSection(i alerting.Incident, at time.Time) Section {
	label := w.labels().evidence
	failures, _ := i.Failures()
	for _, m := range failures {
		if slices.ContainsFunc(m.Evidence, checks.Message.HasTimes) {
			label = w.timed(label, at)
			break
		}
	}
	return Section{label, w.evidence(i)}
}

// evidence returns the evidence of the cause or, for several nodes, the first
// evidence of each.
func (w Writer) evidence(i alerting.Incident) []string {
	failures, _ := i.Failures()
	var lines []string
	for _, m := range failures {
		for n, e := range m.Evidence {
			switch {
			case len(failures) == 1:
				lines = append(lines, w.translate(e))
			case n == 0:
				lines = append(lines, probes.Clean(w.Language.Of(i, m.Cluster, m.Node)+w.labels().colon+w.translate(e), maxLine))
			}
		}
	}
	return w.bounded(lines, maxEvidence)
}

// news formats the latest events. It drops the oldest ones, because the current state
// is more important.
func (w Writer) news(events []alerting.Event) []string {
	var lines []string
	for _, e := range events[max(0, len(events)-maxNews):] {
		lines = append(lines, w.clock(e.At)+" "+w.event(e))
	}
	return lines
}

// bounded replaces the lines after the limit by their number. It keeps a single one, because
// the number would take a line, too.
func (w Writer) bounded(lines []string, limit int) []string {
	omitted := len(lines) - limit
	if omitted <= 1 {
		return lines
	}
	return append(lines[:limit:limit], fmt.Sprintf(w.labels().more, omitted))
}

// translate formats a message, with times in the zone of the Writer.
func (w Writer) translate(m checks.Message) string {
	return probes.Clean(w.Language.Translate(m.InZone(w.zone())), maxLine)
}

func (w Writer) event(e alerting.Event) string { return probes.Clean(w.Language.Event(e), maxLine) }

func (w Writer) title(c checks.Code) string {
	return cmp.Or(probes.Clean(w.Language.Title(c), maxName), "?")
}

// PageOf returns the URL of the page of the incident; "": there is none.
func (w Writer) PageOf(i alerting.Incident) string {
	if w.Page == nil {
		return ""
	}
	return w.Page.JoinPath("incidents", url.PathEscape(i.ID)).String()
}

func (w Writer) links(i alerting.Incident) []Link {
	l := w.labels()
	var links []Link
	if page := w.PageOf(i); page != "" {
		links = append(links, Link{Text: l.incidentLink, URL: page})
		if i.State == alerting.Firing && i.Acknowledged.IsZero() {
			links = append(links, Link{l.acknowledge, page + "#acknowledge", "acknowledge"}, Link{l.silence, page + "#silence", "silence"})
		}
	}
	if w.Grafana != nil {
		links = append(links, Link{Text: l.grafana, URL: grafana(*w.Grafana, i)})
	}
	return links
}

// grafana returns the URL of the dashboard for the cluster and the time of an
// incident.
func grafana(u url.URL, i alerting.Incident) string {
	q := u.Query()
	q.Set("var-cluster", name(i.Cluster))
	q.Set("from", strconv.FormatInt(i.Started.Add(-alerting.AroundIncident).UnixMilli(), 10))
	q.Set("to", "now")
	if !i.Ended.IsZero() {
		q.Set("to", strconv.FormatInt(i.Ended.Add(alerting.AroundIncident).UnixMilli(), 10))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// moment formats a time with its zone, because readers may be anywhere. It returns ""
// for the zero time.
func (w Writer) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(w.zone()).Format("2006-01-02 15:04:05 MST")
}

// clock formats the time of day of an event.
func (w Writer) clock(t time.Time) string { return t.In(w.zone()).Format(time.TimeOnly) }

func (w Writer) zone() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

// duration formats a duration in its two largest units.
func (w Writer) duration(d time.Duration) string {
	s := int(max(0, d) / time.Second)
	parts := [4]int{s / 86400, s / 3600 % 24, s / 60 % 60, s % 60}
	largest := 0
	for largest < len(parts)-1 && parts[largest] == 0 {
		largest++
	}
	l := w.labels()
	text := strconv.Itoa(parts[largest]) + l.units[largest]
	if next := largest + 1; next < len(parts) && parts[next] != 0 {
		text += l.betweenUnits + strconv.Itoa(parts[next]) + l.units[next]
	}
	return text
}
