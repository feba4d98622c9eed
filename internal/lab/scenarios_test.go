package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A scenario is something that is wrong with a cluster, and what stickwatch
// must say of it, whatever balancer stands in front.
type scenario struct {
	name string
	on   func(front) bool // nil: every front
	plan plan
	act  func(*rig)     // nil: nothing happens
	want []string       // "code" or "code/subject", all of which must be found
	also []checks.Code  // consequences that may be seen, depending on who is asked
	is   checks.Verdict // "": what follows from the findings
	// doubt is a part of what must be told of an inconclusive picture.
	doubt string
	// cause is the one finding that nothing explains: others must be explained by
	// it, and nothing else may be wrong. It stands in place of want and also.
	cause cause
	never checks.Verdict // "": any that follows may be
	apart bool           // sessions must not be said to be shared
	// known are fronts behind which stickwatch is known to be wrong. What it says
	// there is not held against it until it is right, which must be told.
	known []knownGap
}

// A knownGap is why stickwatch is wrong; front "" is all of them.
type knownGap struct{ front, why string }

// scenarios, in the order of the requests' way.
var scenarios = slices.Concat(
	balancerScenarios, ejectionScenarios, nodeScenarios, pageScenarios, dependencyScenarios,
	sessionScenarios, guaranteeScenarios, handshakeScenarios, alikeScenarios, healthyScenarios,
	returningScenarios, wrongPageScenarios, ownerScenarios,
)

// The fronts a scenario applies to.
func sticky(f front) bool    { return f.sticky }
func notSticky(f front) bool { return !f.sticky }

// choosing fronts let the prober reach every node at will, or by patience.
func choosing(f front) bool { return f.header || f.key != "" || f.method == probes.MethodCookie }

// seesAll fronts show the prober every node.
func seesAll(f front) bool { return !f.narrow }

// provesAbsence: that a node got nobody tells something.
func provesAbsence(f front) bool { return !f.narrow && f.method != probes.MethodLeastConn }

// any session is held on its node, whatever its cookie.
func holdsAny(f front) bool { return f.sticky && f.cookie == "" }

func named(names ...string) func(front) bool {
	return func(f front) bool { return slices.Contains(names, f.name) }
}

// some fronts of every kind, for what takes long and does not depend on them.
var some = named("demo ip_hash", "nginx ip_hash", "nginx round robin", "haproxy cookie", "apache sticky", "caddy round_robin")

func both(a, b func(front) bool) func(front) bool {
	return func(f front) bool { return a(f) && b(f) }
}

// TestScenarios plays every scenario behind every balancer it applies to. A
// finding that is missing, has another class or names another subject is an
// error, and so is one that nobody asked for.
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

// healthy reports whether nothing is wrong in it.
func (s scenario) healthy() bool {
	return s.is == checks.Healthy && len(s.want) == 0 && s.cause.code == ""
}

// knownGap is why stickwatch is wrong behind f; zero: it should not be.
func (s scenario) knownGap(f front) gap {
	for _, k := range s.known {
		if k.front == "" || k.front == f.name {
			return gap{why: k.why}
		}
	}
	return gapOf(testName("TestScenarios", s.name, f.name))
}

// checkKnown fails the test unless all is as it should be, or is known not to be.
func (s scenario) checkKnown(t *testing.T, known gap, missing, unexpected []string, report checks.Report) {
	t.Helper()
	waitServed(t, known, len(missing)+len(unexpected) == 0, fmt.Sprintf("missing %q, unexpected %q in:\n%s", missing, unexpected, formatReport(report)))
}

// judgeScenario holds a report against what is wanted.
func judgeScenario(t *testing.T, s scenario, report checks.Report) {
	t.Helper()
	missing, unexpected := s.compare(report)
	s.checkKnown(t, gapOf(t.Name()), missing, unexpected, report)
}

// compare returns what was wanted and is missing, and what is there and was
// neither wanted nor is a consequence.
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

// matches: a want without subject matches every finding of its code.
func matches(want string, f checks.Finding) bool {
	code, subject, found := strings.Cut(want, "/")
	if string(f.Code) != code {
		return false
	}
	return !found || f.Node == subject || f.Dependency == subject
}
