package config

// Who is notified of incidents, and when.
type wireAlerting struct {
	// Language of messages: en or zh. Default en.
	Language string `yaml:"language" check:"oneof=language"`
	// Public address of this stickwatch, for links in messages. Its host is accepted from a proxy on this machine.
	ExternalURL string `yaml:"external_url"`
	// Grafana dashboard of a cluster, such as https://grafana.example/d/stickwatch-cluster, for links in messages.
	GrafanaURL string `yaml:"grafana_url"`
	// Time zone of times in messages and on the page, such as Asia/Shanghai. Default UTC.
	Timezone string `yaml:"timezone"`
	// Receivers of notifications.
	Receivers []wireReceiver `yaml:"receivers"`
	// Which receiver is notified of an incident: that of the first matching route, and of further ones after a route with continue. Without routes, every receiver is notified of every warning and critical incident.
	Routes []wireRoute `yaml:"routes"`
	// How long a finding must be active before a notification.
	For wireFor `yaml:"for"`
	// How long a finding must be absent before its incident is resolved. Default 30s.
	ResolveAfter *duration `yaml:"resolve_after"`
	// How long after its end an announced deployment still explains findings; at least the balancer's fail_timeout and two canary intervals. Findings that are active afterwards are notified, and the others are part of its summary. Default 30s.
	DeploymentGrace *duration `yaml:"deployment_grace"`
	// How findings of several clusters are grouped: with [cluster] each cluster has its own incidents, with [host] clusters share an incident of one machine, identified by the host of their nodes' addresses. Default [cluster].
	Group []string `yaml:"group"`
	// How often the notification of an ongoing incident is repeated; 0s: never. Default 4h.
	Repeat *duration `yaml:"repeat"`
}

// How long a finding must be active before a notification, by severity.
type wireFor struct {
	// Default 0s.
	Critical *duration `yaml:"critical"`
	// Default 30s.
	Warning *duration `yaml:"warning"`
}

// A receiver of notifications: exactly one of slack, dingtalk, shoutrrr, alertmanager and webhook.
type wireReceiver struct {
	// Unique name, for routes.
	Name string `yaml:"name" check:"required"`
	// A Slack channel.
	Slack *wireSlack `yaml:"slack"`
	// A DingTalk group, by a custom robot.
	DingTalk *wireDingTalk `yaml:"dingtalk"`
	// Another service, by its shoutrrr URL: WeCom, Feishu, Lark, mail, Telegram, Teams, Mattermost, ntfy, PagerDuty or Opsgenie.
	Shoutrrr *wireShoutrrr `yaml:"shoutrrr"`
	// A Prometheus Alertmanager.
	Alertmanager *wireAlertmanager `yaml:"alertmanager"`
	// Your own HTTP endpoint, notified in JSON.
	Webhook *wireWebhook `yaml:"webhook"`
}

// A Slack channel, by a bot's token or by an incoming webhook.
type wireSlack struct {
	// Token of the bot, with the scope chat:write.
	Token Secret `yaml:"token"`
	// File with the token. Relative to the configuration file.
	TokenFile string `yaml:"token_file"`
	// Incoming webhook, instead of a token.
	WebhookURL Secret `yaml:"webhook_url"`
	// File with the incoming webhook.
	WebhookURLFile string `yaml:"webhook_url_file"`
	// Channel, such as "#ops" (in quotes: # begins a comment). Required with a token.
	Channel string `yaml:"channel"`
	// Slack's API. Default https://slack.com/api/.
	APIURL string `yaml:"api_url"`
}

// A DingTalk group, notified by a custom robot.
type wireDingTalk struct {
	// The access_token of the robot's address.
	Token Secret `yaml:"token"`
	// File with the token. Relative to the configuration file.
	TokenFile string `yaml:"token_file"`
	// Key of the robot's signature (SEC...), if its security settings demand one.
	Secret Secret `yaml:"secret"`
	// File with that key. Relative to the configuration file.
	SecretFile string `yaml:"secret_file"`
}

// A service with a shoutrrr URL, which is a secret.
type wireShoutrrr struct {
	// Its URL, such as wecom://KEY, lark://open.feishu.cn/TOKEN?secret=KEY or smtp://USER:PASSWORD@HOST:587/?from=ADDRESS&to=ADDRESS.
	URL Secret `yaml:"url"`
	// File with the URL. Relative to the configuration file.
	URLFile string `yaml:"url_file"`
}

// A Prometheus Alertmanager, notified through its API v2.
type wireAlertmanager struct {
	// Its address, without /api/v2.
	URL string `yaml:"url" check:"required"`
}

// An HTTP endpoint that accepts a POST of JSON.
type wireWebhook struct {
	// Its address.
	URL string `yaml:"url" check:"required"`
	// Key by which requests are signed.
	Secret Secret `yaml:"secret"`
	// File with that key. Relative to the configuration file.
	SecretFile string `yaml:"secret_file"`
	// Template of the body (Go's text/template) instead of the default JSON document, such as '{"text": {{json .message.text}}}'.
	Template string `yaml:"template"`
}

// Selects incidents for a receiver. A key that is not set matches everything.
type wireRoute struct {
	// Name of the receiver.
	Receiver string `yaml:"receiver" check:"required"`
	// Minimum severity. Default warning.
	Severity string `yaml:"severity" check:"oneof=severity"`
	// Only incidents of this cluster.
	Cluster string `yaml:"cluster"`
	// Only incidents with this cause.
	Code string `yaml:"code" check:"oneof=code"`
	// Whether later routes are tried as well.
	Continue bool `yaml:"continue"`
	// How long after the first notification of a critical incident that nobody has acknowledged the receiver under to is notified as well, from 1m to 7d.
	EscalateAfter *duration `yaml:"escalate_after"`
	// Name of the receiver that is notified then.
	To string `yaml:"to"`
}

// A weekly window without notifications. A key that is not set matches everything.
type wireMaintenance struct {
	// The cluster under maintenance.
	Cluster string `yaml:"cluster"`
	// The node under maintenance; requires the cluster.
	Node string `yaml:"node"`
	// The finding that is expected.
	Code string `yaml:"code" check:"oneof=code"`
	// Days and hours: "Sun 02:00-04:00", "Mon-Fri 22:00-01:00" (until the next day), "Sat,Sun 00:00-24:00".
	Weekly string `yaml:"weekly" check:"required"`
	// Time zone of the hours, such as Asia/Shanghai. Default UTC.
	Timezone string `yaml:"timezone"`
}
