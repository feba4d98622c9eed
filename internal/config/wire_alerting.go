package config

// Who is told of incidents, and when.
type wireAlerting struct {
	// Language of messages: en or zh. Default en.
	Language string `yaml:"language" check:"oneof=language"`
	// Address of this stickwatch for people: for links in messages, and the host by which a proxy on this machine may ask for it.
	ExternalURL string `yaml:"external_url"`
	// The dashboard of a cluster in Grafana, such as https://grafana.example/d/stickwatch-cluster, for links in messages.
	GrafanaURL string `yaml:"grafana_url"`
	// Time zone of times in messages and on the page, such as Asia/Shanghai. Default UTC.
	Timezone string `yaml:"timezone"`
	// Where messages can go.
	Receivers []wireReceiver `yaml:"receivers"`
	// Which incident goes to which receiver: the first route that matches, and those after it while they say continue. Left out, every receiver is told of every warning and critical incident.
	Routes []wireRoute `yaml:"routes"`
	// How long a finding must hold before anybody is told.
	For wireFor `yaml:"for"`
	// How long a finding must be gone before its incident is resolved. Default 30s.
	ResolveAfter *duration `yaml:"resolve_after"`
	// How long after its end an announced deployment still explains what is active; at least the balancer's fail_timeout and two canary intervals. What is active then is told, and the rest summed up. Default 30s.
	DeploymentGrace *duration `yaml:"deployment_grace"`
	// What makes findings of several clusters one incident: [cluster] keeps each cluster apart, [host] joins those that fail by one machine, which is the host of their nodes' addresses. Default [cluster].
	Group []string `yaml:"group"`
	// How often an incident that goes on is told again; 0s: never. Default 4h.
	Repeat *duration `yaml:"repeat"`
}

// How long a finding must hold before anybody is told, by its severity.
type wireFor struct {
	// Default 0s.
	Critical *duration `yaml:"critical"`
	// Default 30s.
	Warning *duration `yaml:"warning"`
}

// Where messages can go: exactly one of slack, alertmanager and webhook.
type wireReceiver struct {
	// Its name, for routes; no other receiver has it.
	Name string `yaml:"name" check:"required"`
	// A Slack channel.
	Slack *wireSlack `yaml:"slack"`
	// A Prometheus Alertmanager.
	Alertmanager *wireAlertmanager `yaml:"alertmanager"`
	// An HTTP endpoint of your own, told in JSON.
	Webhook *wireWebhook `yaml:"webhook"`
}

// A Slack channel, by a bot's token or by an incoming webhook.
type wireSlack struct {
	// Token of the bot, with the scope chat:write.
	Token Secret `yaml:"token"`
	// File with the token; a relative path starts at the configuration file.
	TokenFile string `yaml:"token_file"`
	// Incoming webhook, instead of a token.
	WebhookURL Secret `yaml:"webhook_url"`
	// File with the incoming webhook.
	WebhookURLFile string `yaml:"webhook_url_file"`
	// Channel, such as "#ops" (in quotes: # begins a comment). Needed with a token.
	Channel string `yaml:"channel"`
	// Slack's API. Default https://slack.com/api/.
	APIURL string `yaml:"api_url"`
}

// A Prometheus Alertmanager, told by its API v2.
type wireAlertmanager struct {
	// Its address, without /api/v2.
	URL string `yaml:"url" check:"required"`
}

// An HTTP endpoint that takes a POST of JSON.
type wireWebhook struct {
	// Its address.
	URL string `yaml:"url" check:"required"`
	// Key by which requests are signed.
	Secret Secret `yaml:"secret"`
	// File with that key; a relative path starts at the configuration file.
	SecretFile string `yaml:"secret_file"`
	// Template of the body (Go's text/template) in place of the document itself, such as '{"text": {{json .message.text}}}'.
	Template string `yaml:"template"`
}

// Which incidents go to a receiver. What is left out matches all.
type wireRoute struct {
	// Name of the receiver.
	Receiver string `yaml:"receiver" check:"required"`
	// Only incidents at least as severe. Default warning.
	Severity string `yaml:"severity" check:"oneof=severity"`
	// Only incidents of this cluster.
	Cluster string `yaml:"cluster"`
	// Only incidents of this finding.
	Code string `yaml:"code" check:"oneof=code"`
	// Whether later routes are tried as well.
	Continue bool `yaml:"continue"`
}

// A window of every week in which nobody is told. What is left out matches all.
type wireMaintenance struct {
	// The cluster at work.
	Cluster string `yaml:"cluster"`
	// The node at work; needs the cluster.
	Node string `yaml:"node"`
	// The finding that is expected.
	Code string `yaml:"code" check:"oneof=code"`
	// Days and hours: "Sun 02:00-04:00", "Mon-Fri 22:00-01:00" (until the next day), "Sat,Sun 00:00-24:00".
	Weekly string `yaml:"weekly" check:"required"`
	// Time zone of the hours, such as Asia/Shanghai. Default UTC.
	Timezone string `yaml:"timezone"`
}
