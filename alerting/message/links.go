package message

import (
	"net/url"
	"strconv"
	"time"

	"stickwatch/alerting"
)

// aroundIncident is what a dashboard shows before an incident began.
const aroundIncident = 15 * time.Minute

// PageOf is the incident's page; "": there is none.
func (w Writer) PageOf(i alerting.Incident) string {
	if w.Page == nil {
		return ""
	}
	return w.Page.JoinPath("incidents", url.PathEscape(i.ID)).String()
}

func (w Writer) links(i alerting.Incident) []Link {
	var links []Link
	if page := w.PageOf(i); page != "" {
		links = append(links, Link{w.labels().page, page})
	}
	if w.Grafana != nil {
		links = append(links, Link{w.labels().grafana, grafana(*w.Grafana, i)})
	}
	return links
}

// grafana is a dashboard at the incident's cluster and time.
func grafana(u url.URL, i alerting.Incident) string {
	q := u.Query()
	q.Set("var-cluster", name(i.Cluster))
	q.Set("from", strconv.FormatInt(i.Started.Add(-aroundIncident).UnixMilli(), 10))
	q.Set("to", "now")
	if !i.Ended.IsZero() {
		q.Set("to", strconv.FormatInt(i.Ended.Add(aroundIncident).UnixMilli(), 10))
	}
	u.RawQuery = q.Encode()
	return u.String()
}
