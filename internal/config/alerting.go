package config

import (
	"net/url"
	"time"

	"stickwatch/checks"
)

// Alerting configures notifications.
type Alerting struct {
	Language     string   // "en" or "zh"
	ExternalURL  *url.URL // nil: messages have no links to the status page
	GrafanaURL   *url.URL // dashboard of a cluster; nil: messages have no links to it
	Location     *time.Location
	Receivers    []Receiver
	Routes       []Route // each Receiver is a name in Receivers; empty only when there are none
	For          map[checks.Severity]time.Duration
	ResolveAfter time.Duration
	Repeat       time.Duration // 0: never
	// GroupByHost joins the incidents of clusters that share a failing machine.
	GroupByHost bool
	// DeploymentGrace is how long after its end a deployment explains findings, unless
	// the cluster needs longer.
	DeploymentGrace time.Duration
}

// A Receiver is a destination of notifications: exactly one of its pointers is not nil.
type Receiver struct {
	Name         string
	Slack        *Slack
	Alertmanager *Alertmanager
	Webhook      *Webhook
}

// Slack is a Slack channel, by Token and Channel, or by WebhookURL.
type Slack struct {
	Token      Secret
	WebhookURL Secret
	Channel    string
	APIURL     string // with a trailing slash
}

// Alertmanager is a Prometheus Alertmanager, notified through its API v2.
type Alertmanager struct {
	URL *url.URL // without /api/v2
}

// Webhook is an HTTP endpoint, notified by a POST of JSON.
type Webhook struct {
	URL      *url.URL
	Secret   Secret // key that signs requests; zero: they are not signed
	Template string // template of the body; "": the JSON document
}

// A Route selects the incidents of a receiver. The first matching route is used, and
// later ones only if it has Continue.
type Route struct {
	Receiver string
	Severity checks.Severity // minimum
	Cluster  string          // "": any
	Code     checks.Code     // "": any
	Continue bool
}

// Matches reports whether the route selects an incident with this cause.
func (r Route) Matches(cluster string, code checks.Code, severity checks.Severity) bool {
	return severity.AtLeast(r.Severity) &&
		(r.Cluster == "" || r.Cluster == cluster) &&
		(r.Code == "" || r.Code == code)
}
