package checks

import (
	"slices"
)

// A rule says that findings of one code are caused by a finding of another, if
// both are there and fit.
type rule struct {
	effect, cause Code
	fits          func(effect, cause Finding) bool
}

// rules, the more particular cause first: a finding is explained by the first
// that fits. They form no circle.
var rules = []rule{
	{BalancerError, NodeDown, isCritical},
	{BalancerError, NodePaused, always},
	{NodePaused, DependencyDown, sameNode},
	{DependencyDisputed, DependencyDown, sameDependency},
	{NodeFailingInRotation, NodeDown, sameNode},
	{NodeFailingInRotation, PageFailing, sameNode},
	{NodeFailingInRotation, NodePaused, sameNode},
	{PageFailing, BalancerError, throughBalancer},
	{PageFailing, NodeFailingInRotation, throughBalancer},
	{PageFailing, NodeDown, throughBalancer},
	{PageFailing, PageFailing, throughBalancerSamePage},
	{HandshakeBroken, BalancerDown, always},
	{HandshakeBroken, BalancerError, always},
	{HandshakeBroken, NodePaused, always},
	{HandshakeBroken, SessionDrift, always},
	{HandshakeBroken, BalancerSplit, always},
	{HandshakeBroken, NodeFailingInRotation, always},
	{SessionDrift, CookieRejected, always},
	{SessionLost, CookieRejected, always},
	{SessionLost, SessionNotShared, always},
	{SessionLost, SessionDrift, always},
	{SessionNotShared, DependencyDown, always},
	{Slow, NodeDown, throughBalancer},
	{Slow, Slow, throughBalancer},
	{StartOrder, NodeRestarted, sameNode},
}

func always(_, _ Finding) bool         { return true }
func isCritical(_, cause Finding) bool { return cause.Severity == Critical }

func sameNode(effect, cause Finding) bool {
	return effect.Node != "" && slices.Contains(cause.Nodes, effect.Node)
}

func sameDependency(effect, cause Finding) bool { return effect.Dependency == cause.Dependency }

// throughBalancer: what is seen through the balancer has its cause at a node.
func throughBalancer(effect, cause Finding) bool {
	return effect.Node == "" && cause.Key() != effect.Key()
}

func throughBalancerSamePage(effect, cause Finding) bool {
	return effect.Node == "" && cause.Node != "" && len(effect.Target) >= len(cause.Target) &&
		effect.Target[len(effect.Target)-len(cause.Target):] == cause.Target
}

// explain marks each finding that another one causes, and orders them: the
// worst cause first, each followed by what it explains.
func explain(findings []Finding) []Finding {
	for i := range findings {
		findings[i].ExplainedBy = causeOf(findings[i], findings)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return b.Severity.rank() - a.Severity.rank() })
	var ordered []Finding
	var follow func(key string)
	follow = func(key string) {
		for _, f := range findings {
			if f.ExplainedBy == key {
				ordered = append(ordered, f)
				follow(f.Key())
			}
		}
	}
	follow("")
	return ordered
}

func causeOf(effect Finding, findings []Finding) string {
	for _, r := range rules {
		if r.effect != effect.Code {
			continue
		}
		for _, cause := range findings {
			if cause.Code == r.cause && cause.Key() != effect.Key() && r.fits(effect, cause) {
				return cause.Key()
			}
		}
	}
	return ""
}
