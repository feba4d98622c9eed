package main

import (
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/render"
)

func TestExitStatus(t *testing.T) {
	report := func(v checks.Verdict, found ...checks.Severity) checks.Report {
		r := checks.Report{Verdict: v}
		for _, s := range found {
			r.Findings = append(r.Findings, checks.Finding{Severity: s})
		}
		return r
	}
	healthy, degraded := report(checks.Healthy, checks.Info), report(checks.Degraded, checks.Warning)
	failing, unsure := report(checks.Failing, checks.Critical), report(checks.Inconclusive)
	for _, tt := range []struct {
		name    string
		reports []checks.Report
		failOn  checks.Severity
		status  int
		worst   checks.Verdict
	}{
		{"nothing", nil, checks.Critical, 0, checks.Inconclusive},
		{"healthy", []checks.Report{healthy}, checks.Critical, 0, checks.Healthy},
		{"healthy, any finding counts", []checks.Report{healthy}, checks.Info, 1, checks.Healthy},
		{"degraded", []checks.Report{healthy, degraded}, checks.Critical, 0, checks.Degraded},
		{"degraded, warnings count", []checks.Report{healthy, degraded}, checks.Warning, 1, checks.Degraded},
		{"failing", []checks.Report{failing, healthy}, checks.Critical, 1, checks.Failing},
		{"inconclusive", []checks.Report{healthy, unsure, degraded}, checks.Critical, 3, checks.Inconclusive},
		{"a finding outweighs a doubt", []checks.Report{unsure, failing}, checks.Critical, 1, checks.Failing},
		{"a doubtful cluster's own finding", []checks.Report{report(checks.Inconclusive, checks.Critical)}, checks.Critical, 1, checks.Inconclusive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitStatus(tt.reports, tt.failOn); got != tt.status {
				t.Errorf("exit status: got %d, want %d", got, tt.status)
			}
			if got := (render.Results{Clusters: tt.reports}).Verdict(); got != tt.worst {
				t.Errorf("worst verdict: got %s, want %s", got, tt.worst)
			}
		})
	}
}
