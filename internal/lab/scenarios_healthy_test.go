package lab

import (
	"stickwatch/checks"
	"stickwatch/probes"
)

// healthyScenarios are healthy clusters: any finding is a false alarm.
var healthyScenarios = []scenario{
	{name: "healthy, generic", on: holdsAny, plan: plan{profile: "generic"}, is: checks.Healthy},
	{name: "healthy, generic of unequal nodes", on: both(holdsAny, hasWeights), plan: plan{profile: "generic", weights: []int{3, 1, 2}}, is: checks.Healthy},
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
