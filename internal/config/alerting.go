package config

import (
	"net/url"
	"time"

	"stickwatch/checks"
)

// Alerting tells who is told of incidents, and when.
type Alerting struct {
	Language     string   // "en" or "zh"
	ExternalURL  *url.URL // nil: messages have no links to the status page
	GrafanaURL   *url.URL // of a cluster's dashboard; nil: messages have no links to it
	Location     *time.Location
	Receivers    []Receiver
	Routes       []Route // every Receiver is one of Receivers; empty only when there are none
	For          map[checks.Severity]time.Duration
	ResolveAfter time.Duration
	Repeat       time.Duration // 0: never
	// GroupByHost joins the incidents of clusters that fail by one machine.
	GroupByHost bool
	// DeploymentGrace is how long after its end a deployment explains findings, where
	// the cluster does not need longer.
	DeploymentGrace time.Duration
}

// A Receiver is where messages can go: exactly one of its pointers is not nil.
type Receiver struct {
	Name         string
	Slack        *Slack
	Alertmanager *Alertmanager
	Webhook      *Webhook
}

// Slack is a channel: by Token and Channel, or by WebhookURL.
type Slack struct {
	Token      Secret
	WebhookURL Secret
	Channel    string
	APIURL     string // ends in a slash
}

// Alertmanager is told by its API v2.
type Alertmanager struct {
	URL *url.URL // without /api/v2
}

// Webhook is told by a POST of JSON.
type Webhook struct {
	URL      *url.URL
	Secret   Secret // signs requests; zero: they are not signed
	Template string // of the body; "": the document itself
}

// A Route tells which incidents go to a receiver. The first that matches wins,
// unless it says Continue.
type Route struct {
	Receiver string
	Severity checks.Severity // at least
	Cluster  string          // "": any
	Code     checks.Code     // "": any
	Continue bool
}

// Matches reports whether an incident's cause goes this way.
func (r Route) Matches(cluster string, code checks.Code, severity checks.Severity) bool {
	return severity.AtLeast(r.Severity) &&
		(r.Cluster == "" || r.Cluster == cluster) &&
		(r.Code == "" || r.Code == code)
}
