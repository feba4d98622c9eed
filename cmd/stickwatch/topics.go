package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/metrics"
	"stickwatch/internal/render"
)

// topics returns the pages of `stickwatch help TOPIC`. Their lists are generated from the
// catalogues of findings, metrics and configuration keys.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "findings", Short: "Every finding: when it holds, and what to do", Long: findingsTopic()},
		{Use: "decisions", Short: "How stickwatch decides: confidence, the oracle, explanations", Long: decisionsTopic},
		{Use: "configuration", Short: "Every key of stickwatch.yml", Long: configurationTopic()},
		{Use: "alerting", Short: "Who is told of what, when, and how often", Long: alertingTopic},
		{Use: "deploying", Short: "Lines to put before, around and after a deployment", Long: deployingTopic},
		{Use: "metrics", Short: "Every metric of serve", Long: metricsTopic()},
		{Use: "api", Short: "What serve answers over HTTP", Long: apiTopic()},
	}
}

func findingsTopic() string {
	s := render.NewText(render.Options{})
	s.Line("Findings, with their severity, when they hold and what to do:")
	for _, e := range slices.Concat(checks.Catalogue, checks.OfMonitor) {
		s.Blank()
		s.Line(fmt.Sprintf("%s (%s)", e.Code, e.Severity))
		s.Paragraph("  ", "    ", "holds when "+e.Holds)
		s.Paragraph("  ", "    ", "do: "+e.Remedy)
	}
	s.Blank()
	s.Line("A finding that another one causes is shown below its cause, and in JSON marked")
	s.Line("explained_by. `probe --ignore CODE` makes none of that code.")
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

const configurationHead = `stickwatch.yml, key by key. What a cluster leaves out its profile fills in.
stickwatch check tells everything that is wrong with a file, and its --schema is
for editors. ${VAR} and ${VAR:-default} are expanded in values; within {} and []
they need quotes. Durations: 500ms, 10s, 1h30m, 400d.`

func metricsTopic() string {
	s := render.NewText(render.Options{})
	s.Line("What serve shows on /metrics. What is not known is absent rather than 0.")
	for _, m := range slices.Concat(metrics.Catalogue, metrics.WatchCatalogue) {
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

// An apiRequest is a route of serve. A test compares the list with the routes of package
// web and with internal/docs/api.md.
type apiRequest struct {
	route   string // as in package web
	answers string
}

var apiRequests = []apiRequest{
	{"GET /api/v1/clusters", "every cluster, as probe -o json has it, with since when"},
	{"GET /api/v1/clusters/{name}", "one of them"},
	{"POST /api/v1/clusters/{name}/probe", "probes now, then the same"},
	{"GET /api/v1/incidents", "newest first; cluster, state (pending, firing, resolved), since, until, limit"},
	{"GET /api/v1/incidents/{id}", "one, with its findings and timeline"},
	{"GET /api/v1/history", "uptimes, session moves and deployments of a cluster; since, until; with target, kind and step its points"},
	{"GET /api/v1/silences", "those that are active or to come"},
	{"POST /api/v1/silences", "makes one of cluster, node, code, or all; reason, author, from, and to or duration"},
	{"DELETE /api/v1/silences/{id}", "ends it"},
	{"GET /api/v1/deployments", "those of a cluster; since, until"},
	{"POST /api/v1/deployments", "announces one: cluster, name, nodes; nobody is notified of what it explains"},
	{"POST /api/v1/deployments/{id}/end", "ends it"},
	{"GET /metrics", "for Prometheus (stickwatch help metrics)"},
	{"GET /probe", "a round of a cluster at once, and its metrics"},
	{"GET /-/healthy", "200 while the process can answer"},
	{"GET /-/ready", "200, or 503 and why it cannot tell anything yet"},
	{"POST /-/reload", "reads the configuration again; 422 with what is wrong"},
	{"GET /-/admin", "by the admin socket alone: where the daemon answers else"},
	{"POST /-/token", "by the admin socket alone: a token, or a link for a browser; duration, bearer"},
	{"GET /login", "gives a browser that comes by such a link the right to change something"},
	{"GET /", "the status page, with /clusters/{name}, /incidents and /incidents/{id}"},
	{"GET /events", "server-sent events: a cluster's picture has changed"},
}

func apiTopic() string {
	s := render.NewText(render.Options{})
	s.Line("What serve answers over HTTP. since and until take a time, or how long ago: 24h,")
	s.Line("7d. Errors are RFC 9457 problems. Reading is open unless --web.config.file names")
	s.Line("users; what changes something is for those, for whoever may open the admin")
	s.Line("socket of serve, and for who has a token of stickwatch token.")
	s.Blank()
	for _, r := range apiRequests {
		s.Line(r.route)
		s.Paragraph("    ", "    ", r.answers)
	}
	return strings.TrimRight(s.String(), "\n")
}

const decisionsTopic = `How stickwatch decides

Sessions stick. A canary comes back on new connections with its cookies. If
nothing held it, it would meet its own node again by luck: with n equal nodes
m times in a row about once in n to the power of m. It comes back as often as
--confidence asks for: at 0.999 ten times with two nodes, seven with three.

A node is out of rotation. Under ip_hash and hash the balancer's arithmetic is
computed: a client that must land on the node and is answered by the next one
proves it. This needs client_ip_header, a request header from which the
balancer takes the client address of this prober. Under other methods new
clients must miss the node in two independent samples, each of the size that
excludes chance: 18 clients each with three nodes at 0.999. Or the balancer says
so itself, in its error log or statistics (balancer.evidence). Where these
contradict each other, the answer is unknown.

Memory. serve remembers which session a canary has, which process a node was,
and who was out a moment ago. What one lost packet can bring about must be seen
by two rounds in a row (damping.appear); a lost session is believed at once. A
finding is over when two rounds in a row miss it (damping.vanish).

Unknown is an answer. Where the evidence cannot be had, the verdict says
"inconclusive", or a blind_spot tells what would open it.

One cause. A finding that another one explains stays in the picture, below its
cause: Redis down explains three paused nodes. It raises no incident of its own.`

const alertingTopic = `Who is told of what, when, and how often

Findings with one cause are one incident. A critical one is told at once, a
warning when it has held for 30 s (alerting.for); it is over after 30 s of quiet
(resolve_after). Developments are gathered, one notice every 30 s at most.
Reminders come after repeat (4h), then twice as long each, up to a day. A
finding that comes five times within an hour flaps, which is said once.

Receivers: slack (with a bot's token a message that is kept up to date, with a
thread; with an incoming webhook a message each time), alertmanager, webhook
(signed JSON, or a template's). routes say which incident goes where, by
cluster, code and severity: the first that matches, and those after it while
they say continue. Without routes every receiver is told of warnings and worse.

Silences hold back messages, and neither the watch nor the end of what was told.
Windows of every week stand in the file, under maintenance.
  stickwatch silence add --cluster shop --node node2 --for 20m \
      --reason "deploy 4.2"

Delivery: notices wait on the disk, and are tried for 24 hours, the beginning
and the end of an incident for 72. Retry-After is obeyed. After a crash Slack,
by a bot, is searched before a message is posted again; a webhook may get one
twice, with the same Idempotency-Key. What is given up is in the log, on the
page and in stickwatch_notifications_total{result="buried"}.

Does it arrive?
  stickwatch check --notify ops`

const deployingTopic = `Lines to put before, around and after a deployment

  # is the cluster fit to be changed?
  stickwatch probe
  # was anybody thrown out? Its status is that of the command, unless that is 0
  stickwatch probe --watch -- ./deploy.sh 4.2
  # the same, and any lost session fails, also one that the policy allows
  stickwatch probe --watch --fail-on-loss -- ./deploy.sh 4.2
  # does every node run 4.2, and is all well?
  stickwatch probe --wait 2m --expect-version 4.2
  # the last two in one, as a report for a merge request
  stickwatch probe --watch --wait 2m --expect-version 4.2 -o markdown \
      -- ./deploy.sh 4.2 > report.md
  # in a rolling update, after each node: until it gets clients again
  stickwatch probe --wait 1m --node node2
  # while a node is emptied by hand: is anybody on it thrown out?
  stickwatch probe --watch 5m --drain node2

With --server URL a daemon records the deployment, shows it on its page and
dashboards, notifies nobody of what it explains, and sums it up afterwards.

Exit status: 0 well, 1 a finding or a broken promise, 2 wrong usage, 3
inconclusive; or that of the command. -o junit is for CI servers.`
