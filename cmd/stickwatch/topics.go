package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/docs"
	"stickwatch/internal/metrics"
	"stickwatch/internal/render"
)

// topics returns the pages of `stickwatch help TOPIC`. Their lists are generated from the
// catalogues of findings, metrics and configuration keys.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "findings", Short: "Every finding: condition and remedy", Long: findingsTopic()},
		{Use: "decisions", Short: "How stickwatch decides: confidence, rotation, causes", Long: decisionsTopic},
		{Use: "configuration", Short: "Every key of stickwatch.yml", Long: configurationTopic()},
		{Use: "profiles", Short: "Every profile: applications, page and policy", Long: profilesTopic()},
		{Use: "alerting", Short: "Who is notified of what, when, and how often", Long: alertingTopic},
		{Use: "deploying", Short: "Commands before, during and after a deployment", Long: deployingTopic},
		{Use: "metrics", Short: "Every metric of serve", Long: metricsTopic()},
		{Use: "api", Short: "The HTTP API of serve", Long: apiTopic()},
	}
}

func findingsTopic() string {
	s := render.NewText(render.Options{})
	s.Line("Findings with their severity, condition and remedy:")
	for _, e := range slices.Concat(checks.Catalogue, checks.OfMonitor) {
		s.Blank()
		s.Paragraph("", "  ", fmt.Sprintf("%s (%s)", e.Code, e.Severity))
		s.Paragraph("  ", "    ", "condition: "+e.Condition)
		s.Paragraph("  ", "    ", "remedy: "+e.Remedy)
	}
	s.Blank()
	s.Line("A finding that another one explains is shown below its cause, and JSON has the")
	s.Line("cause in explained_by. `probe --ignore CODE` ignores findings of a code.")
	return s.String()
}

// configurationTopic lists every key. The reference is generated from embedded source
// code, so that it can fail in tests only.
func configurationTopic() string {
	sections, err := config.Reference()
	if err != nil {
		return "The keys cannot be listed: " + err.Error()
	}
	s := render.NewText(render.Options{})
	s.Line(configurationHead)
	for _, section := range sections {
		s.Blank()
		if name := strings.Join(section.KeyPaths, ", "); name != "" {
			s.Paragraph("", "  ", name)
		}
		s.Paragraph("  ", "  ", section.Text)
		for _, k := range section.Keys {
			s.Paragraph("  ", "      ", fmt.Sprintf("%s (%s)", k.Name, k.Value()))
			s.Paragraph("      ", "      ", k.Text)
		}
	}
	return strings.TrimRight(s.String(), "\n")
}

// profilesTopic lists the profiles in the order in which init tries them.
func profilesTopic() string {
	text := render.NewText(render.Options{})
	text.Line("A profile knows the session page of an application. Values of the file win.")
	text.Line("Pages to paste for each stack: internal/docs/test-pages.md. init recognises the")
	text.Line("profiles by the answers of nodes; init --try URL... says which ones fit.")
	for _, p := range config.Profiles() {
		text.Blank()
		text.Paragraph("", "  ", p.Name+": "+p.About)
		if p.Path() != "" {
			text.Paragraph("  ", "    ", fmt.Sprintf("page: %s, policy %s", p.Path(), p.Policy()))
		} else {
			text.Paragraph("  ", "    ", fmt.Sprintf("no session page, policy %s", p.Policy()))
		}
		if p.FromDocs {
			text.Paragraph("  ", "    ", "from the product's documentation, not tried with the product")
		}
	}
	return strings.TrimRight(text.String(), "\n")
}

const configurationHead = `The keys of stickwatch.yml. The profile provides defaults for a cluster.
stickwatch check reports all problems of a file; its --schema is for editors.
${VAR} and ${VAR:-default} are expanded in values; within {} and [] they need
quotes. Durations: 500ms, 10s, 1h30m, 400d.`

func metricsTopic() string {
	s := render.NewText(render.Options{})
	s.Line("The metrics of serve on /metrics. Unknown values are absent instead of 0.")
	for _, m := range slices.Concat(metrics.Catalogue, metrics.WatchCatalogue()) {
		s.Blank()
		head := m.Name
		if len(m.Labels) > 0 {
			head += "{" + strings.Join(m.Labels, ",") + "}"
		}
		s.Paragraph("", "    ", head)
		s.Paragraph("  ", "  ", m.Type+". "+m.Help)
	}
	s.Blank()
	s.Paragraph("", "", "The history adds stickwatch_history_size_bytes, _queue_length, _write_seconds, _write_errors_total and _dropped_total. "+
		"Dashboards and rules for all of them: stickwatch dashboards DIR.")
	return strings.TrimRight(s.String(), "\n")
}

// apiTopic lists the operations of the OpenAPI document, which is embedded, so that it can fail
// in tests only.
func apiTopic() string {
	operations, err := docs.Operations()
	if err != nil {
		return "The requests cannot be listed: " + err.Error()
	}
	s := render.NewText(render.Options{})
	s.Line("The HTTP API of serve. since and until take a time, or an age such as 24h or 7d.")
	s.Line("Errors are RFC 9457 problems. Reading is open unless --web.config.file has")
	s.Line("users. Writing is for these users, for everyone who may open the admin socket,")
	s.Line("and with a token of stickwatch token. GET /api/v1/openapi.json describes every")
	s.Line("request and answer.")
	s.Blank()
	for _, o := range operations {
		s.Line(o.Method + " " + o.Path)
		text := o.Summary
		if len(o.Query) > 0 {
			text += "; parameters: " + strings.Join(o.Query, ", ")
		}
		s.Paragraph("    ", "    ", text)
	}
	return strings.TrimRight(s.String(), "\n")
}

const decisionsTopic = `How stickwatch decides

Sticky sessions. A canary sends requests on new connections with its cookies.
Without stickiness it would still reach its own node by chance: with n equal
nodes, m times in a row with a probability of 1/n^m. The number of requests
follows from --confidence: at 0.999 ten with two nodes, seven with three.

Rotation. Under ip_hash, hash and source, stickwatch computes the node of a
client. If a client of the node is answered by the next node instead, the node
is out of rotation. This needs client_ip_header, a request header from which
the balancer takes the client address of this prober. Under other methods, new
clients must miss the node in two independent samples that are large enough for
the confidence: 18 clients each with three nodes at 0.999. The balancer's own
error log or statistics (balancer.evidence) are evidence, too. If the evidence
is contradictory, the answer is unknown.

History. serve remembers the session of each canary, the process of each node,
and the rotation. A finding that one lost packet can cause needs two rounds in
a row (damping.appear). A lost session needs one. A finding ends when two
rounds in a row do not have it (damping.vanish).

Unknown. If evidence is unavailable, the verdict is "inconclusive", or a
blind_spot states which setting would provide it.

Causes. A finding that another finding explains is shown below its cause: if
Redis is down, that explains three paused nodes. It opens no incident.`

const alertingTopic = `Who is notified of what, when, and how often

Incidents. Findings with one cause are one incident. Receivers are notified of a
critical finding immediately, and of a warning after 30 s (alerting.for). An
incident is resolved after 30 s without findings (resolve_after). Changes are
combined into one message, at most every 30 s. Reminders follow after repeat
(4h), then at intervals that double up to a day. A finding that appears five
times within an hour is flapping, which is notified once.

Receivers: slack (with a bot token, one message that is updated, with a thread;
with an incoming webhook, a new message each time), alertmanager, webhook
(signed JSON, or your template). routes select receivers by cluster, code and
severity. The first matching route applies, and the next ones while continue is
set. Without routes, every receiver gets warnings and critical findings.

Silences hold back notifications, but neither the monitoring nor the end of an
incident that was notified. Weekly windows belong in the file, under
maintenance.
  stickwatch silence add --cluster shop --node node2 --for 20m \
      --reason "deploy 4.2"

Delivery. Notifications are queued on disk and retried for 24 hours; the start
and the end of an incident for 72. Retry-After is respected. After a crash,
stickwatch searches Slack (with a bot token) before it posts a message again. A
webhook may get a message twice, with the same Idempotency-Key. Abandoned
notifications are in the log, on the status page and in
stickwatch_notifications_total{result="buried"}.

To test a receiver:
  stickwatch check --notify ops`

const deployingTopic = `Commands before, during and after a deployment

  # is the cluster healthy?
  stickwatch probe
  # does the deployment lose sessions? A failed command determines the status
  stickwatch probe --watch -- ./deploy.sh 4.2
  # the same; any lost session fails, even if the policy allows it
  stickwatch probe --watch --fail-on-loss -- ./deploy.sh 4.2
  # does every node run 4.2, and is the cluster healthy?
  stickwatch probe --wait 2m --expect-version 4.2
  # both in one, as a report for a merge request
  stickwatch probe --watch --wait 2m --expect-version 4.2 -o markdown \
      -- ./deploy.sh 4.2 > report.md
  # in a rolling update, after each node: wait until it is in rotation
  stickwatch probe --wait 1m --node node2
  # does a manual drain of a node lose sessions?
  stickwatch probe --watch 5m --drain node2

With --server URL, a daemon records the deployment, shows it on the status page
and dashboards, holds back notifications that it explains, and summarises it.

Exit status: 0 success, 1 a finding or a broken guarantee, 2 wrong usage, 3
inconclusive; or the status of the command. -o junit is for CI servers.`
