package lab

import (
	"os"
	"strconv"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestHealthy takes many rounds of healthy clusters behind every balancer: none may
// contain a finding above info or be inconclusive.
func TestHealthy(t *testing.T) {
	for _, f := range fronts {
		for _, p := range healthyPlans(f) {
			t.Run(f.name+"/"+p.profile, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, f, p)
				r.cluster.Limit(probes.Budget{RequestsPerSecond: 1000, Concurrent: 4}) // the default budget would take an hour
				for i := range runs(t, "STICKWATCH_HEALTHY_RUNS", 50) {
					if report := r.probe(); report.Verdict != checks.Healthy {
						t.Fatalf("run %d: %s", i, formatReport(report))
					}
				}
			})
		}
	}
}

// healthyPlans returns the applications that are healthy behind f.
func healthyPlans(f front) []plan {
	if !f.sticky {
		return []plan{{profile: "tomcat-msm", shared: true}, {profile: "huozige"}}
	}
	if f.alters {
		return []plan{{profile: "ebridge"}, {profile: "ebridge", gbk: true}}
	}
	plans := []plan{{profile: "tomcat", shared: true}, {profile: "tomcat-msm", shared: true}}
	if f.cookie == "" {
		plans = append(plans, plan{profile: "generic"}, plan{profile: "ebridge"}, plan{profile: "ebridge", gbk: true})
	}
	if f.cookie == "" && !f.equal {
		plans = append(plans, plan{profile: "generic", weights: []int{3, 1, 2}})
	}
	if f.method == probes.MethodIPHash {
		plans = append(plans, plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}})
	}
	return plans
}

// runs returns the number of repetitions of a test, which an environment variable can
// raise.
func runs(tb testing.TB, env string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(env)
	if text == "" {
		if testing.Short() {
			return 1
		}
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s: got %q, want a number above 0", env, text)
	}
	return n
}
