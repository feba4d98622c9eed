package dashboards

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"stickwatch/checks"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

const rulesFile = "prometheus/stickwatch.rules.yml"

// A rule has the fields of a Prometheus rule that the tests need.
type rule struct {
	Record      string
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	content, err := os.ReadFile(rulesFile)
	must.Succeed(t, err)
	var file struct{ Groups []struct{ Rules []rule } }
	must.Succeed(t, yaml.Unmarshal(content, &file))
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no rules", rulesFile)
	}
	return all
}

// program returns the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	lab.Require(t, name)
	path, err := exec.LookPath(name)
	must.Succeed(t, err)
	return path
}

func TestRules(t *testing.T) {
	lab.Promtool(t, "check", "rules", rulesFile)
	lab.Promtool(t, "test", "rules", "prometheus/stickwatch_test.yml")
}

// TestRulesNameExportedMetrics: rules use existing metrics and recorded series.
func TestRulesNameExportedMetrics(t *testing.T) {
	metrics := known(t)
	all := rules(t)
	for _, r := range all {
		if r.Record != "" { // its name begins with its labels
			labels, _, _ := strings.Cut(r.Record, ":")
			metrics[r.Record] = append(strings.Split(labels, "_"), "__name__")
		}
	}
	for _, r := range all {
		if wrong := unknown(parse(t, r.Record+r.Alert, r.Expr), metrics); len(wrong) > 0 {
			t.Errorf("%s asks for %q, which there is not", r.Record+r.Alert, wrong)
		}
	}
}

// TestAlertsHelp: every alert states the problem, its severity and a remedy. An alert on a
// finding has the severity of the finding.
func TestAlertsHelp(t *testing.T) {
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if r.Annotations["summary"] == "" || r.Annotations["runbook"] == "" {
			t.Errorf("%s has no summary or no runbook", r.Alert)
		}
		ofFinding := strings.HasPrefix(r.Expr, causesRecord)
		if _, has := r.Labels["severity"]; has == ofFinding {
			t.Errorf("%s: got the severity %q, want one unless it is a finding's", r.Alert, r.Labels["severity"])
		}
	}
}

const causesRecord = "cluster_code_severity_node:stickwatch_finding_causes:max"

// TestEveryFindingAlerts: every code has one alert, except informational ones.
func TestEveryFindingAlerts(t *testing.T) {
	codes := regexp.MustCompile(regexp.QuoteMeta(causesRecord) + `{code=~?"([^"]+)"[,}]`)
	var alerted []string
	for _, r := range rules(t) {
		if match := codes.FindStringSubmatch(r.Expr); match != nil {
			alerted = append(alerted, strings.Split(match[1], "|")...)
		}
	}
	for _, e := range checks.Catalogue {
		n := len(alerted)
		alerted = slices.DeleteFunc(alerted, func(code string) bool { return code == string(e.Code) })
		want := 1
		if e.Severity == "info" {
			want = 0
		}
		if got := n - len(alerted); got != want {
			t.Errorf("got %d alerts on %s, want %d", got, e.Code, want)
		}
	}
	if len(alerted) > 0 {
		t.Errorf("alerts go by %q, which are no findings", alerted)
	}
}
