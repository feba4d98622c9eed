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

// topics are the pages of `stickwatch help TOPIC`: the parts of the manual that
// somebody at a terminal looks up. What they list comes from where it is decided.
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

// configurationTopic lists every key. The reference is made of sources that are
// part of the program: it cannot fail in the field, and a test sees that it does
// not.
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
