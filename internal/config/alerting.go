package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	_ "time/tzdata" // for images without time zone files

	"stickwatch/alerting/shoutrrr"
	"stickwatch/checks"
	"stickwatch/probes"
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

// ReceiverNames returns the names of the receivers, in the order of the file.
func (a *Alerting) ReceiverNames() []string {
	var list []string
	for _, r := range a.Receivers {
		list = append(list, r.Name)
	}
	return list
}

// A Receiver is a destination of notifications: exactly one of its pointers is not nil.
type Receiver struct {
	Name         string
	Slack        *Slack
	DingTalk     *DingTalk
	Shoutrrr     *Shoutrrr
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

// DingTalk is a group of DingTalk, notified by a custom robot.
type DingTalk struct {
	Token  Secret
	Secret Secret // key that signs requests; zero: they are not signed
}

// Shoutrrr is a service with a shoutrrr URL.
type Shoutrrr struct{ URL Secret }

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
	// EscalateTo is notified of a critical incident that nobody has acknowledged
	// EscalateAfter its first notification; "": nobody.
	EscalateTo    string
	EscalateAfter time.Duration
}

// Secrets returns the credentials of a receiver, which must not be shown.
func (r Receiver) Secrets() []string {
	var all []string
	if s := r.Slack; s != nil {
		all = append(all, s.Token.Reveal(), s.WebhookURL.Reveal())
		if hook, err := url.Parse(s.WebhookURL.Reveal()); err == nil {
			all = append(all, secretPath(hook)...)
		}
		if api, err := url.Parse(s.APIURL); err == nil {
			all = append(all, probes.SecretsOf(api)...)
		}
	}
	if d := r.DingTalk; d != nil {
		all = append(all, d.Token.Reveal(), d.Secret.Reveal())
	}
	if s := r.Shoutrrr; s != nil {
		all = append(all, shoutrrr.Secrets(s.URL.Reveal())...)
	}
	if a := r.Alertmanager; a != nil {
		all = append(all, probes.SecretsOf(a.URL)...)
	}
	if w := r.Webhook; w != nil {
		all = append(append(all, w.Secret.Reveal()), probes.SecretsOf(w.URL)...)
		all = append(all, secretPath(w.URL)...)
	}
	return all
}

// secretPath returns the parts of a webhook's address that are credentials: its path
// with the query, the longer elements of the path, and the values of the query.
func secretPath(hook *url.URL) []string {
	if hook == nil {
		return nil
	}
	const minSecretLength = 16 // a shorter element is an ordinary word
	all := []string{hook.RequestURI()}
	if len(hook.RequestURI()) < minSecretLength {
		all = nil
	}
	for element := range strings.SplitSeq(hook.Path, "/") {
		if len(element) >= minSecretLength {
			all = append(all, element)
		}
	}
	for _, values := range hook.Query() {
		all = append(all, values...)
	}
	return all
}

// A Maintenance is a weekly window without notifications. Zero fields match everything.
type Maintenance struct {
	Cluster string
	Node    string
	Code    checks.Code
	Weekly  Weekly
}

// A Weekly is a time window on some days of every week, in a time zone.
type Weekly struct {
	Days     [7]bool // by time.Weekday, days on which the window begins
	From     int     // minutes since midnight, inclusive
	To       int     // minutes since midnight, exclusive; at or before From: on the next day
	Location *time.Location
}

var errWeekly = errors.New(`expected days and hours such as "Sun 02:00-04:00" or "Mon-Fri 22:00-01:00"`)

// parseWeekly parses "Sun 02:00-04:00": a day, a range of days ("Mon-Fri"), a list
// ("Sat,Sun") or "daily"; then two times of day, the second up to 24:00.
func parseWeekly(text string, keyPath *time.Location) (Weekly, error) {
	w := Weekly{Location: keyPath}
	days, hours, ok := strings.Cut(strings.TrimSpace(text), " ")
	from, to, ok2 := strings.Cut(strings.TrimSpace(hours), "-")
	if !ok || !ok2 {
		return Weekly{}, errWeekly
	}
	var err1, err2, err3 error
	w.Days, err1 = parseDays(days)
	w.From, err2 = parseClock(from)
	w.To, err3 = parseClock(to)
	if err := errors.Join(err1, err2, err3); err != nil || w.From == 24*60 || w.From == w.To {
		return Weekly{}, errWeekly
	}
	return w, nil
}

func parseDays(text string) (days [7]bool, err error) {
	if strings.EqualFold(text, "daily") {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err1 := parseDay(first)
		to, err2 := parseDay(last)
		if err := errors.Join(err1, err2); err != nil {
			return days, err
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func parseDay(text string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(text, d.String()) || strings.EqualFold(text, d.String()[:3]) {
			return d, nil
		}
	}
	return 0, errWeekly
}

func parseClock(text string) (minutes int, err error) {
	hour, minute, ok := strings.Cut(text, ":")
	if !ok || len(hour) != 2 || len(minute) != 2 {
		return 0, errWeekly
	}
	var h, m int
	if _, err := fmt.Sscanf(hour+" "+minute, "%d %d", &h, &m); err != nil || h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, errWeekly
	}
	return h*60 + m, nil
}

// Contains reports whether t is in the window.
func (w Weekly) Contains(t time.Time) bool {
	t = t.In(w.Location)
	minute, today := t.Hour()*60+t.Minute(), t.Weekday()
	if w.From < w.To {
		return w.Days[today] && w.From <= minute && minute < w.To
	}
	yesterday := (today + 6) % 7
	return w.Days[today] && minute >= w.From || w.Days[yesterday] && minute < w.To
}
