package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting/shoutrrr"
	"stickwatch/checks"
)

func (b *builder) alerting(wire wireAlerting, c *Config) Alerting {
	const at = keyPath("alerting")
	out := Alerting{
		Language:    cmp.Or(wire.Language, "en"),
		ExternalURL: b.public(at.key("external_url"), wire.ExternalURL),
		GrafanaURL:  b.public(at.key("grafana_url"), wire.GrafanaURL),
		Location:    b.zone(at.key("timezone"), wire.Timezone),
		For: map[checks.Severity]time.Duration{
			checks.Critical: orDefault(wire.For.Critical, 0),
			checks.Warning:  orDefault(wire.For.Warning, 30*time.Second),
		},
		ResolveAfter: orDefault(wire.ResolveAfter, 30*time.Second),
		Repeat:       orDefault(wire.Repeat, 4*time.Hour),

		DeploymentGrace: orDefault(wire.DeploymentGrace, 30*time.Second),
		GroupByHost:     slices.Contains(wire.Group, "host"),
	}
	if out.Repeat != 0 && out.Repeat < time.Minute {
		b.problem(at.key("repeat"), "expected at least 1m, or 0s for never, got %s", FormatDuration(out.Repeat))
	}
	for i, word := range wire.Group {
		b.known(at.key("group").item(i), "group", word, []string{"cluster", "host"})
	}
	names := b.unique("receiver name")
	for i, r := range wire.Receivers {
		where := at.key("receivers").item(i)
		names(where.key("name"), r.Name)
		out.Receivers = append(out.Receivers, b.receiver(r, where))
	}
	out.Routes = b.routes(wire, c, at.key("routes"))
	return out
}

func (b *builder) routes(w wireAlerting, c *Config, at keyPath) []Route {
	var names []string
	for _, r := range w.Receivers {
		names = append(names, r.Name)
	}
	var out []Route
	if w.Routes == nil {
		for _, name := range names {
			out = append(out, Route{Receiver: name, Severity: checks.Warning, Continue: true})
		}
	}
	for i, r := range w.Routes {
		where := at.item(i)
		b.known(where.key("receiver"), "receiver", r.Receiver, names)
		b.known(where.key("cluster"), "cluster", r.Cluster, c.names())
		b.escalation(r, names, where)
		out = append(out, Route{
			EscalateTo: r.To, EscalateAfter: orDefault(r.EscalateAfter, 0),
			Receiver: r.Receiver,
			Severity: checks.Severity(cmp.Or(r.Severity, string(checks.Warning))),
			Cluster:  r.Cluster,
			Code:     checks.Code(r.Code),
			Continue: r.Continue,
		})
	}
	return out
}

// escalation reports an incomplete escalation of a route.
func (b *builder) escalation(r wireRoute, names []string, at keyPath) {
	const least, most = time.Minute, 7 * 24 * time.Hour // more is a mistaken unit
	after := orDefault(r.EscalateAfter, 0)
	b.known(at.key("to"), "receiver", r.To, names)
	switch {
	case r.To == "" && r.EscalateAfter == nil:
	case r.To == "":
		b.problem(at.key("escalate_after"), "needs the receiver to notify: to")
	case r.EscalateAfter == nil:
		b.problem(at.key("to"), "needs the time after which it is notified: escalate_after")
	case after < least || after > most:
		b.problem(at.key("escalate_after"), "expected %s to %s, got %s", FormatDuration(least), FormatDuration(most), FormatDuration(after))
	case r.To == r.Receiver:
		b.problem(at.key("to"), "is the receiver of the route, which is notified at once")
	}
}

// known reports a name that does not exist. name may be "", for any. A "" among names
// is one that could not be decoded and might match.
func (b *builder) known(at keyPath, what, name string, names []string) {
	switch {
	case name == "" || slices.Contains(names, name) || slices.Contains(names, ""):
	case len(names) == 0:
		b.problem(at, "unknown %s %s: there is none", what, b.valueText(at, name))
	default:
		b.problem(at, "%s", unknown(what, b.written(b.nearest(at), name), slices.Compact(slices.Sorted(slices.Values(names)))))
	}
}

func (b *builder) receiver(w wireReceiver, at keyPath) Receiver {
	out := Receiver{Name: b.name(at.key("name"), w.Name)}
	var kinds []string
	if w.Slack != nil {
		kinds, out.Slack = append(kinds, "slack"), b.slack(*w.Slack, at.key("slack"))
	}
	if w.DingTalk != nil {
		kinds, out.DingTalk = append(kinds, "dingtalk"), b.dingTalk(*w.DingTalk, at.key("dingtalk"))
	}
	if w.Shoutrrr != nil {
		kinds, out.Shoutrrr = append(kinds, "shoutrrr"), b.shoutrrr(*w.Shoutrrr, at.key("shoutrrr"))
	}
	if w.Alertmanager != nil {
		kinds = append(kinds, "alertmanager")
		out.Alertmanager = &Alertmanager{URL: b.url(at.key("alertmanager").key("url"), w.Alertmanager.URL, web)}
	}
	if w.Webhook != nil {
		kinds, out.Webhook = append(kinds, "webhook"), b.webhook(*w.Webhook, at.key("webhook"))
	}
	switch len(kinds) {
	case 0:
		b.problem(at, "expected one of slack, dingtalk, shoutrrr, alertmanager, webhook")
	case 1:
	default:
		b.problem(at, "expected a single kind of receiver, got %s", strings.Join(kinds, " and "))
	}
	return out
}

func (b *builder) slack(w wireSlack, at keyPath) *Slack {
	token, _ := b.valueOrFile(at, "token", w.Token.Reveal(), w.TokenFile)
	hook, hookAt := b.valueOrFile(at, "webhook_url", w.WebhookURL.Reveal(), w.WebhookURLFile)
	byToken, byHook := token != "" || w.TokenFile != "", hook != "" || w.WebhookURLFile != ""
	switch {
	case byToken && byHook:
		b.problem(at, "expected a token or a webhook_url, got both")
	case byToken && w.Channel == "":
		b.problem(at.key("channel"), `is missing: a token needs a channel such as "#ops"`)
	case !byToken && !byHook:
		b.problem(at, "expected one of token, token_file, webhook_url, webhook_url_file")
	}
	if hook != "" {
		if _, err := parseURL(hook, web); err != nil {
			b.problem(hookAt, "expected an address that begins with https://")
		}
	}
	api := b.url(at.key("api_url"), cmp.Or(w.APIURL, "https://slack.com/api/"), web)
	out := &Slack{Token: NewSecret(token), WebhookURL: NewSecret(hook), Channel: w.Channel}
	if api != nil {
		out.APIURL = strings.TrimSuffix(api.String(), "/") + "/"
	}
	return out
}

// robotToken matches the token of a robot, which is a part of its address.
var robotToken = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (b *builder) dingTalk(w wireDingTalk, at keyPath) *DingTalk {
	token, tokenAt := b.valueOrFile(at, "token", w.Token.Reveal(), w.TokenFile)
	secret, _ := b.valueOrFile(at, "secret", w.Secret.Reveal(), w.SecretFile)
	switch {
	case token == "" && w.TokenFile == "":
		b.problem(at, "expected one of token, token_file")
	case token != "" && !robotToken.MatchString(token):
		b.problem(tokenAt, "expected only the access_token of the robot's address")
	}
	return &DingTalk{Token: NewSecret(token), Secret: NewSecret(secret)}
}

func (b *builder) shoutrrr(w wireShoutrrr, at keyPath) *Shoutrrr {
	address, addressAt := b.valueOrFile(at, "url", w.URL.Reveal(), w.URLFile)
	if address == "" {
		if w.URLFile == "" {
			b.problem(at, "expected one of url, url_file")
		}
		return &Shoutrrr{}
	}
	if err := shoutrrr.Check(address); err != nil {
		b.problem(addressAt, "the service URL %s", err)
	}
	return &Shoutrrr{URL: NewSecret(address)}
}

func (b *builder) webhook(w wireWebhook, at keyPath) *Webhook {
	secret, _ := b.valueOrFile(at, "secret", w.Secret.Reveal(), w.SecretFile)
	return &Webhook{URL: b.url(at.key("url"), w.URL, web), Secret: NewSecret(secret), Template: w.Template}
}

func (b *builder) maintenance(ws []wireMaintenance, c *Config) []Maintenance {
	var out []Maintenance
	for i, w := range ws {
		at := keyPath("maintenance").item(i)
		b.known(at.key("cluster"), "cluster", w.Cluster, c.names())
		switch cluster := c.Cluster(w.Cluster); {
		case w.Node != "" && w.Cluster == "":
			b.problem(at.key("node"), "needs the cluster that the node is of")
		case cluster != nil && !c.hasNodesFrom(w.Cluster):
			var ids []string
			for _, n := range cluster.Nodes {
				ids = append(ids, n.ID)
			}
			b.known(at.key("node"), "node", w.Node, ids)
		}
		out = append(out, Maintenance{Cluster: w.Cluster, Node: w.Node, Code: checks.Code(w.Code), Weekly: b.weekly(w, at)})
	}
	return out
}

func (b *builder) weekly(w wireMaintenance, at keyPath) Weekly {
	weekly, err := parseWeekly(w.Weekly, b.zone(at.key("timezone"), w.Timezone))
	if err != nil && w.Weekly != "" {
		b.problem(at.key("weekly"), "%s, got %s", err, b.valueText(at.key("weekly"), w.Weekly))
	}
	return weekly
}

func (b *builder) zone(at keyPath, name string) *time.Location {
	zone, err := time.LoadLocation(cmp.Or(name, "UTC"))
	if err != nil || name == "Local" {
		b.problem(at, "expected a time zone such as Asia/Shanghai, got %s", b.valueText(at, name))
		return time.UTC
	}
	return zone
}

// names returns the names of the clusters.
func (c *Config) names() []string {
	names := make([]string, len(c.Clusters))
	for i, cluster := range c.Clusters {
		names[i] = cluster.Name
	}
	return names
}

// A Link leads from the page to another tool. Its URL may have placeholders.
type Link struct{ Name, URL string }

// linkPlaceholders are the names of placeholders in the URL of a Link.
var linkPlaceholders = []string{"cluster", "node", "code", "incident", "from", "to"}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// links validates the links. With anything in place of its placeholders, a link must be an
// http or https address with the same host.
func (b *builder) links(ws []wireLink) []Link {
	var out []Link
	names := b.unique("link name")
	for i, w := range ws {
		at := keyPath("links").item(i)
		names(at.key("name"), w.Name)
		for _, one := range placeholder.FindAllString(w.URL, -1) {
			if name := strings.Trim(one, "{}"); !slices.Contains(linkPlaceholders, name) {
				b.problem(at.key("url"), "%s has the placeholder %s: expected one of {%s}", b.valueText(at.key("url"), w.URL), one, strings.Join(linkPlaceholders, "}, {"))
			}
		}
		before, _, _ := strings.Cut(w.URL, "{")
		address, _, _ := strings.Cut(placeholder.ReplaceAllString(w.URL, "0"), "#")
		u := b.public(at.key("url"), address)
		if u != nil && !strings.HasPrefix(strings.ToLower(before), strings.ToLower(u.Scheme+"://"+u.Host)) {
			b.problem(at.key("url"), "%s has a placeholder in its host: placeholders are for the path, the query and the fragment", b.valueText(at.key("url"), w.URL))
		}
		out = append(out, Link(w))
	}
	return out
}
