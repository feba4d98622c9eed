package lab

import (
	"stickwatch/checks"
	"stickwatch/probes"
)

// ejectionScenarios are healthy nodes to which the balancer sends no requests.
var ejectionScenarios = []scenario{
	{
		name: "marked down in the balancer only", on: func(f front) bool { return provesAbsence(f) && !f.blunt },
		plan: plan{front: frontPlan{down: "node2"}, profile: "tomcat-msm", shared: true},
		want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected after failures", on: provesAbsence, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.eject("node2") }, want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected of unequal ones", on: func(f front) bool { return choosing(f) && !f.equal && f.key == "" }, plan: plan{profile: "tomcat", shared: true, weights: []int{3, 1, 2}},
		act: func(r *rig) { r.eject("node3") }, want: []string{"node_ejected/node3"},
	},
	{
		name: "two ejected of three", on: both(provesAbsence, scatters), plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.eject("node2"); r.eject("node3") }, want: []string{"node_ejected/node2", "node_ejected/node3"},
	},
	{
		name: "ejected after three failures", on: both(provesAbsence, some), plan: plan{profile: "tomcat-msm", shared: true, front: frontPlan{maxFails: 3}},
		act: func(r *rig) { r.eject("node2") }, want: []string{"node_ejected/node2"},
	},
	{
		name: "the lightest is ejected", on: func(f front) bool { return provesAbsence(f) && !f.equal },
		plan: plan{profile: "tomcat-msm", shared: true, weights: []int{5, 1, 1}},
		act:  func(r *rig) { r.eject("node3") }, want: []string{"node_ejected/node3"},
	},
	{
		name: "five to one to one", on: func(f front) bool { return !f.equal },
		plan: plan{profile: "tomcat-msm", shared: true, weights: []int{5, 1, 1}}, is: checks.Healthy,
	},
}

// scatters selects fronts without a hash: a single node is no sign of one, or of an
// ignored header.
func scatters(f front) bool {
	return f.method == probes.MethodRoundRobin || f.method == probes.MethodRandom || f.method == probes.MethodCookie
}
