package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

// TestQueriesMean: promtool evaluates the queries to the values that the panels describe.
// Series are in promtool's notation, a value each 15 s.
func TestQueriesMean(t *testing.T) {
	fill := strings.NewReplacer("$__range", "10m", "$objective", "0.99")
	for _, tt := range []struct {
		name   string
		expr   string
		series map[string]string
		at     string
		want   map[string]float64
	}{{
		name: "the most severe state of a node",
		expr: nodeStateExpr(`cluster="shop"`, ""),
		series: map[string]string{
			`stickwatch_node_up{cluster="shop", node="dead"}`:                     "0x10",
			`stickwatch_node_in_rotation{cluster="shop", node="dead"}`:            "0x10",
			`stickwatch_node_up{cluster="shop", node="paused"}`:                   "1x10",
			`stickwatch_node_state{cluster="shop", node="paused",state="paused"}`: "1x10",
			`stickwatch_node_in_rotation{cluster="shop", node="paused"}`:          "1x10",
			`stickwatch_node_up{cluster="shop", node="ejected"}`:                  "1x10",
			`stickwatch_node_in_rotation{cluster="shop", node="ejected"}`:         "0x10",
			`stickwatch_node_up{cluster="shop", node="unclear"}`:                  "1x10",
			`stickwatch_node_up{cluster="shop", node="well"}`:                     "1x10",
			`stickwatch_node_state{cluster="shop", node="well",state="paused"}`:   "0x10",
			`stickwatch_node_in_rotation{cluster="shop", node="well"}`:            "1x10",
			`stickwatch_node_up{cluster="blog", node="well"}`:                     "1x10",
		},
		at: "1m",
		want: map[string]float64{
			`{cluster="shop", node="dead"}`: 0, `{cluster="shop", node="paused"}`: 1, `{cluster="shop", node="ejected"}`: 2,
			`{cluster="shop", node="unclear"}`: 3, `{cluster="shop", node="well"}`: 4,
		},
	}, {
		name: "ten seconds out of rotation are seen in a stretch of five minutes",
		expr: nodeStateExpr(`cluster="shop"`, "5m"),
		series: map[string]string{
			`stickwatch_node_up{cluster="shop", node="node1"}`:          "1x20",
			`stickwatch_node_in_rotation{cluster="shop", node="node1"}`: "1x8 0 1x11",
		},
		at:   "5m",
		want: map[string]float64{`{cluster="shop", node="node1"}`: 2},
	}, {
		name: "of two monitors the worse verdict counts",
		expr: verdictOf(`cluster=~".*"`, ""),
		series: map[string]string{
			`stickwatch_cluster_verdict{cluster="shop", instance="a", verdict="healthy"}`:      "1x10",
			`stickwatch_cluster_verdict{cluster="shop", instance="a", verdict="failing"}`:      "0x10",
			`stickwatch_cluster_verdict{cluster="shop", instance="b", verdict="failing"}`:      "1x10",
			`stickwatch_cluster_verdict{cluster="blog", instance="a", verdict="healthy"}`:      "1x10",
			`stickwatch_cluster_verdict{cluster="wiki", instance="a", verdict="inconclusive"}`: "1x10",
			`stickwatch_cluster_verdict{cluster="mail", instance="a", verdict="degraded"}`:     "1x10",
		},
		at:   "1m",
		want: map[string]float64{`{cluster="blog"}`: 0, `{cluster="wiki"}`: 1, `{cluster="mail"}`: 2, `{cluster="shop"}`: 3},
	}, {
		name: "availability goes by what went through the balancer",
		expr: availability(`cluster=~".*"`, "10m"),
		series: map[string]string{
			`stickwatch_probes_total{cluster="shop", probe="canary", target="node1", result="ok"}`:        "0+3x40",
			`stickwatch_probes_total{cluster="shop", probe="balancer", target="b", result="timeout"}`:     "0+1x40",
			`stickwatch_probes_total{cluster="shop", probe="canary", target="node1", result="cancelled"}`: "0+9x40",
			`stickwatch_probes_total{cluster="shop", probe="node", target="node1", result="refused"}`:     "0+9x40",
			`stickwatch_probes_total{cluster="dead", probe="canary", target="node1", result="refused"}`:   "0+4x40",
			`stickwatch_probes_total{cluster="idle", probe="canary", target="node1", result="ok"}`:        "7x40",
		},
		at:   "10m",
		want: map[string]float64{`{cluster="shop"}`: 0.75, `{cluster="dead"}`: 0},
	}, {
		name: "a cluster that drifts answers every request, and its sessions are not up",
		expr: sessionUptime(`cluster=~".*"`, "cluster", "10m"),
		series: map[string]string{
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node1", outcome="served"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node1", outcome="moved"}`:   "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node2", outcome="lost"}`:    "0+2x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="", outcome="unknown"}`:      "0+9x40",
			`stickwatch_client_requests_total{cluster="blog", balancer="b", node="node1", outcome="served"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="dead", balancer="b", node="node1", outcome="served"}`:  "0x40",
			`stickwatch_client_requests_total{cluster="dead", balancer="b", node="node1", outcome="error"}`:   "0+1x40",
			`stickwatch_client_requests_total{cluster="idle", balancer="b", node="node1", outcome="served"}`:  "7x40",
			`stickwatch_client_requests_total{cluster="wiki", balancer="b", node="node1", outcome="unknown"}`: "0+1x40",
		},
		at:   "10m",
		want: map[string]float64{`{cluster="shop"}`: 0.5, `{cluster="blog"}`: 1, `{cluster="dead"}`: 0},
	}, {
		name: "the state of a node's canaries is the worst that they met",
		expr: sessionStateExpr(`cluster="shop"`, "2m"),
		series: map[string]string{
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node1", outcome="served"}`: "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="c", node="node1", outcome="moved"}`:  "0x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node2", outcome="served"}`: "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node2", outcome="moved"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node3", outcome="moved"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node3", outcome="stale"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node4", outcome="lost"}`:   "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node4", outcome="error"}`:  "0+1x40",
			`stickwatch_client_requests_total{cluster="shop", balancer="b", node="node5", outcome="served"}`: "7x40",
		},
		at: "10m",
		want: map[string]float64{
			`{cluster="shop", node="node1"}`: 0, `{cluster="shop", node="node2"}`: 1, `{cluster="shop", node="node3"}`: 2, `{cluster="shop", node="node4"}`: 3,
		},
	}, {
		name: "half of the error budget is left",
		expr: budgetLeft(`cluster="shop"`),
		series: map[string]string{
			`stickwatch_probes_total{cluster="shop", probe="canary", target="node1", result="ok"}`:         "0+199x40",
			`stickwatch_probes_total{cluster="shop", probe="canary", target="node1", result="bad_status"}`: "0+1x40",
		},
		at:   "10m",
		want: map[string]float64{`{cluster="shop"}`: 0.5},
	}, {
		name: "a move is marked in its minute",
		expr: moved(`cluster="shop", session="lost"`),
		series: map[string]string{
			`stickwatch_session_moves_total{cluster="shop", from="node1", to="node2", session="lost"}`: "5x7 6x20",
			`stickwatch_session_moves_total{cluster="shop", from="node2", to="node1", session="kept"}`: "5x7 6x20",
			`stickwatch_session_moves_total{cluster="shop", from="node2", to="node3", session="lost"}`: "_x7 17x20", // restored
		},
		at:   "2m",
		want: map[string]float64{`{cluster="shop", from="node1", to="node2"}`: 1},
	}, {
		name:   "and not in the next",
		expr:   moved(`cluster="shop", session="lost"`),
		series: map[string]string{`stickwatch_session_moves_total{cluster="shop", from="node1", to="node2", session="lost"}`: "5x7 6x20"},
		at:     "3m",
	}, {
		name: "explained findings are left out",
		expr: causes(`cluster="shop"`),
		series: map[string]string{
			`stickwatch_finding_active{cluster="shop", code="dependency_down", severity="critical", node=""}`:     "1x10",
			`stickwatch_finding_active{cluster="shop", code="node_paused", severity="critical", node="node1"}`:    "1x10",
			`stickwatch_finding_explained{cluster="shop", code="node_paused", severity="critical", node="node1"}`: "1x10",
		},
		at:   "1m",
		want: map[string]float64{`{cluster="shop", code="dependency_down", severity="critical"}`: 1},
	}, {
		name: "affected clients are counted once",
		expr: affected(`cluster="shop"`),
		series: map[string]string{
			`stickwatch_finding_active{cluster="shop", code="session_drift", severity="critical", node=""}`:             "1x10",
			`stickwatch_finding_affected_ratio{cluster="shop", code="session_drift", severity="critical", node=""}`:     "0.5x10",
			`stickwatch_finding_active{cluster="shop", code="session_lost", severity="critical", node="node1"}`:         "1x10",
			`stickwatch_finding_explained{cluster="shop", code="session_lost", severity="critical", node="node1"}`:      "1x10",
			`stickwatch_finding_affected_ratio{cluster="shop", code="session_lost", severity="critical", node="node1"}`: "0.5x10",
			`stickwatch_finding_active{cluster="shop", code="slow", severity="warning", node="node1"}`:                  "1x10",
		},
		at:   "1m",
		want: map[string]float64{`{cluster="shop", code="session_drift", severity="critical"}`: 0.5},
	}} {
		t.Run(tt.name, func(t *testing.T) {
			lab.Promtool(t, "test", "rules", ruleTest(t, "round("+fill.Replace(tt.expr)+", 0.0001)", tt.series, tt.at, tt.want))
		})
	}
}

// ruleTest returns a file for promtool that evaluates one expression.
func ruleTest(t *testing.T, expr string, series map[string]string, at string, want map[string]float64) string {
	t.Helper()
	type object = map[string]any
	var inputs, samples []object
	for _, name := range slices.Sorted(maps.Keys(series)) {
		inputs = append(inputs, object{"series": name, "values": series[name]})
	}
	for _, labels := range slices.Sorted(maps.Keys(want)) {
		samples = append(samples, object{"labels": labels, "value": want[labels]})
	}
	content, err := yaml.Marshal(object{"tests": []object{{
		"interval":         "15s",
		"input_series":     inputs,
		"promql_expr_test": []object{{"expr": expr, "eval_time": at, "exp_samples": samples}},
	}}})
	must.Succeed(t, err)
	path := filepath.Join(t.TempDir(), "test.yml")
	must.Succeed(t, os.WriteFile(path, content, 0o644))
	return path
}

// TestGenerated: the committed JSON equals the generated one, and there is no other.
func TestGenerated(t *testing.T) {
	const folder = "../../grafana"
	all, err := generated()
	must.Succeed(t, err)
	for name, content := range all {
		committed, err := os.ReadFile(filepath.Join(folder, name))
		must.Succeed(t, err)
		if diff := cmp.Diff(string(committed), string(content)); diff != "" {
			t.Errorf("%s is outdated: run `go generate ./dashboards` (-committed +generated):\n%s", name, diff)
		}
	}
	committed, err := filepath.Glob(folder + "/*.json")
	must.Succeed(t, err)
	for i := range committed {
		committed[i] = filepath.Base(committed[i])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), committed); diff != "" {
		t.Errorf("dashboards of the code and files (-code +files):\n%s", diff)
	}
}
