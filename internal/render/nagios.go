package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"stickwatch/checks"
)

// A NagiosStatus is the exit status of a plugin of Nagios and Icinga.
type NagiosStatus int

// The statuses: https://www.monitoring-plugins.org/doc/guidelines.html.
const (
	NagiosOK NagiosStatus = iota
	NagiosWarning
	NagiosCritical
	NagiosUnknown
)

func (s NagiosStatus) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s]
}

// Nagios returns the status of the results: the worst verdict, where an inconclusive one
// is worse than a warning, because it may hide a failure.
func (r Results) Nagios() NagiosStatus {
	switch r.Verdict() {
	case checks.Healthy:
		return NagiosOK
	case checks.Degraded:
		return NagiosWarning
	case checks.Failing:
		return NagiosCritical
	default:
		return NagiosUnknown
	}
}

// Bounds of the line. NRPE accepts 1024 bytes of older agents.
const (
	maxNagiosText = 700
	maxNagiosPart = 240
)

// NagiosLine returns the only line of a plugin, without its line end: a status, a text, and
// performance data after a vertical bar.
func NagiosLine(status NagiosStatus, text string, perfdata ...string) string {
	line := "STICKWATCH " + status.String() + " - " + nagiosText(text, maxNagiosText)
	if len(perfdata) > 0 {
		line += " | " + strings.Join(perfdata, " ")
	}
	return line
}

// renderNagios writes the clusters with findings first, by their causes, and the numbers
// of each cluster.
func renderNagios(w io.Writer, r Results, opts Options) error {
	var parts, perfdata []string
	for _, verdict := range slices.Backward(verdictsBySeverity) {
		for _, c := range r.Clusters {
			if c.Verdict == verdict {
				parts = append(parts, nagiosText(CleanName(c.Cluster)+": "+opts.voice().nagiosCause(c), maxNagiosPart))
			}
		}
	}
	for _, c := range r.Clusters {
		perfdata = append(perfdata, nagiosNumbers(c)...)
	}
	_, err := fmt.Fprintln(w, NagiosLine(r.Nagios(), cmp.Or(strings.Join(parts, "; "), opts.Reader.Translate("there is no cluster")), perfdata...))
	return err
}

// nagiosCause describes a cluster by its first finding, which is the most severe cause. It
// counts the findings that the performance data count.
func (f formatter) nagiosCause(c checks.Report) string {
	alerting := slices.DeleteFunc(slices.Clone(c.Findings), func(finding checks.Finding) bool { return !finding.Severity.AtLeast(checks.Warning) })
	first := max(0, slices.IndexFunc(alerting, func(finding checks.Finding) bool { return finding.ExplainedBy == "" }))
	switch {
	case len(alerting) > 1:
		return f.Translate("%s (and %d more)", f.message(alerting[first].Summary), len(alerting)-1)
	case len(alerting) == 1:
		return f.message(alerting[first].Summary)
	case c.Verdict != checks.Inconclusive && len(c.Findings) > 0:
		return f.message(c.Findings[0].Summary)
	case c.Verdict == checks.Inconclusive && len(c.Doubts) > 0:
		return f.message(c.Doubts[0])
	default:
		return f.Translate(string(c.Verdict))
	}
}

// nagiosNumbers are the performance data of a cluster: 'label'=value;warn;crit;min;max.
func nagiosNumbers(report checks.Report) []string {
	count := func(is func(checks.Finding) bool) (n int) {
		for _, f := range report.Findings {
			if is(f) {
				n++
			}
		}
		return n
	}
	up, affected := 0, checks.Affected{}
	for _, n := range report.Nodes {
		if n.Up {
			up++
		}
	}
	for _, f := range report.Findings {
		affected = affected.Worse(f.Affected)
	}
	label := func(name string) string {
		return "'" + strings.NewReplacer("'", "_", "=", "_").Replace(nagiosText(CleanName(report.Cluster), maxName)) + " " + name + "'="
	}
	share := "U" // of the guidelines: an unknown value, which is not 0 %
	if affected.Estimated() || report.Verdict == checks.Healthy {
		share = fmt.Sprintf("%.0f%%", 100*affected.Share)
	}
	return []string{
		label("nodes_up") + fmt.Sprintf("%d;;;0;%d", up, len(report.Nodes)),
		label("critical") + fmt.Sprintf("%d;;0;0", count(func(f checks.Finding) bool { return f.Severity == checks.Critical })),
		label("warnings") + fmt.Sprintf("%d;0;;0", count(func(f checks.Finding) bool { return f.Severity == checks.Warning })),
		label("affected") + share + ";;;0;100",
		label("time") + fmt.Sprintf("%.3fs;;;0", report.Duration.Seconds()),
	}
}

// nagiosText returns one line without vertical bars, behind which Nagios expects
// performance data.
func nagiosText(text string, limit int) string {
	return Clean(strings.ReplaceAll(text, "|", "/"), limit)
}
