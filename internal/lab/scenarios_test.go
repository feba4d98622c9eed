package lab

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A scenario is a fault of a cluster with the findings that stickwatch must report,
// whatever the balancer is. A demo.Scenario is something else: the steps of an operation.
type scenario struct {
	name string
	on   func(front) bool // fronts that it applies to; nil: every front
	plan plan
	act  func(*rig)     // causes the fault; nil: there is none
	want []string       // "code" or "code/subject", all of which are required
	also []checks.Code  // optional consequences, which depend on the clients
	is   checks.Verdict // expected verdict; "": the one that follows from the findings
	// doubt is part of the required reason of an inconclusive report.
	doubt string
	// cause is the one finding without an explanation: it must explain all others. It
	// replaces want and also.
	cause cause
	never checks.Verdict // excluded verdict; "": none
	apart bool           // sessions must not be reported as shared
}

// scenarios are in the order of a request's path.
var scenarios = slices.Concat(
	balancerScenarios, ejectionScenarios, nodeScenarios, pageScenarios, dependencyScenarios,
	sessionScenarios, guaranteeScenarios, handshakeScenarios, alikeScenarios, healthyScenarios,
	returningScenarios, wrongPageScenarios, ownerScenarios,
)

// sticky selects fronts that keep clients on their node.
func sticky(f front) bool    { return f.sticky }
func notSticky(f front) bool { return !f.sticky }

// choosing fronts let the prober reach every node directly, or after some attempts.
func choosing(f front) bool { return f.header || f.key != "" || f.method == probes.MethodCookie }

// seesAll fronts show the prober every node.
func seesAll(f front) bool { return !f.narrow }

// provesAbsence fronts allow a conclusion when a node gets no requests.
func provesAbsence(f front) bool { return !f.narrow && f.method != probes.MethodLeastConn }

// holdsAny fronts keep any session on its node, whatever its cookie.
func holdsAny(f front) bool { return f.sticky && f.cookie == "" }

func named(names ...string) func(front) bool {
	return func(f front) bool { return slices.Contains(names, f.name) }
}

// some selects fronts of every kind, for slow scenarios that do not depend on the
// balancer.
var some = named("demo ip_hash", "nginx ip_hash", "nginx round robin", "haproxy cookie", "apache sticky", "caddy round_robin")

// matchesAll selects the fronts that every condition selects.
func matchesAll(conditions ...func(front) bool) func(front) bool {
	return func(f front) bool {
		return !slices.ContainsFunc(conditions, func(selects func(front) bool) bool { return !selects(f) })
	}
}

// TestScenarios plays every scenario behind every balancer that it applies to. A
// missing finding, a wrong code or subject, and an unexpected finding are errors.
func TestScenarios(t *testing.T) {
	var card scorecard
	t.Cleanup(func() { card.write(t) })
	for _, s := range scenarios {
		for _, f := range fronts {
			if s.on != nil && !s.on(f) || f.alters && s.plan.crosses() && s.knownGap(f) == (gap{}) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for range runs(t, "STICKWATCH_SCENARIO_RUNS", 1) {
					r := newRig(t, f, s.plan)
					if s.act != nil {
						s.act(r)
					}
					report := r.probe()
					missing, unexpected := s.compare(report)
					if r.cut {
						missing = append(missing, "the end of the round")
					}
					card.add(s, f, missing, unexpected, report)
					s.checkKnown(t, s.knownGap(f), missing, unexpected, report)
					r.end()
				}
			})
		}
	}
}

// healthy reports whether the scenario has no fault.
func (s scenario) healthy() bool {
	return s.is == checks.Healthy && len(s.want) == 0 && s.cause.code == ""
}

// knownGap returns why stickwatch is wrong behind f; zero: it should be correct.
func (s scenario) knownGap(f front) gap {
	return gapOf(testName("TestScenarios", s.name, f.name))
}

// checkKnown fails the test unless the result is correct, or is known to be wrong.
func (s scenario) checkKnown(t *testing.T, known gap, missing, unexpected []string, report checks.Report) {
	t.Helper()
	checkGap(t, known, len(missing)+len(unexpected) == 0, fmt.Sprintf("missing %q, unexpected %q in:\n%s", missing, unexpected, formatReport(report)))
}

// judgeScenario compares a report with a scenario.
func judgeScenario(t *testing.T, s scenario, report checks.Report) {
	t.Helper()
	missing, unexpected := s.compare(report)
	s.checkKnown(t, gapOf(t.Name()), missing, unexpected, report)
}

// compare returns the missing findings, and those that are neither wanted nor
// consequences.
func (s scenario) compare(report checks.Report) (missing, unexpected []string) {
	if s.never != "" && report.Verdict == s.never {
		missing = append(missing, fmt.Sprintf("a verdict other than %s", s.never))
	}
	if s.apart && report.Session.Shared == checks.Yes {
		unexpected = append(unexpected, "sessions are said to be shared")
	}
	if s.cause.code != "" {
		m, u := s.cause.compare(report)
		return append(missing, m...), append(unexpected, u...)
	}
	for _, f := range report.Findings {
		wanted := slices.ContainsFunc(s.want, func(w string) bool { return matches(w, f) })
		if f.Severity != checks.Info && !wanted && !slices.Contains(s.also, f.Code) {
			unexpected = append(unexpected, f.Key()+": "+f.Summary.String())
		}
	}
	for _, w := range s.want {
		if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return matches(w, f) }) {
			missing = append(missing, w)
		}
	}
	if s.is != "" && report.Verdict != s.is {
		missing = append(missing, fmt.Sprintf("verdict %s instead of %s", s.is, report.Verdict))
	}
	if !slices.ContainsFunc(report.Doubts, func(d checks.Message) bool { return strings.Contains(d.String(), s.doubt) }) && s.doubt != "" {
		missing = append(missing, "doubt: "+s.doubt)
	}
	return missing, unexpected
}

// matches reports whether a finding matches want, which may have no subject.
func matches(want string, f checks.Finding) bool {
	code, subject, found := strings.Cut(want, "/")
	if string(f.Code) != code {
		return false
	}
	return !found || f.Node == subject || f.Dependency == subject
}

// healthyScenarios are healthy clusters: any finding is a false alarm.
var healthyScenarios = []scenario{
	{name: "healthy, generic", on: holdsAny, plan: plan{profile: "generic"}, is: checks.Healthy},
	{name: "healthy, generic of unequal nodes", on: matchesAll(holdsAny, hasWeights), plan: plan{profile: "generic", weights: []int{3, 1, 2}}, is: checks.Healthy},
	{name: "healthy, ebridge", on: func(f front) bool { return holdsAny(f) || f.alters }, plan: plan{profile: "ebridge"}, is: checks.Healthy},
	{name: "healthy, tomcat", on: sticky, plan: plan{profile: "tomcat", shared: true}, is: checks.Healthy},
	{name: "healthy, tomcat-msm", plan: plan{profile: "tomcat-msm", shared: true}, is: checks.Healthy},
	{name: "healthy, huozige", plan: plan{profile: "huozige"}, is: checks.Healthy},
	{
		name: "healthy, strategy-collaboration", on: func(f front) bool { return f.method == probes.MethodIPHash },
		plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, is: checks.Healthy,
	},
}

// hasWeights selects fronts that support weights.
func hasWeights(f front) bool { return !f.equal }

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
