package lab

import (
	"stickwatch/checks"
	"stickwatch/internal/demo"
)

// sessionScenarios are sessions that move, or that their own node loses.
var sessionScenarios = []scenario{
	{
		name: "drift", on: notSticky, plan: plan{},
		act: func(*rig) {}, want: []string{"session_drift"},
	},
	{
		name: "drift though replicated", on: notSticky, plan: plan{profile: "tomcat", shared: true},
		act: func(*rig) {}, want: []string{"session_drift"},
	},
	{
		name: "sessions lost on one node", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change(r.ownNode(), func(f *demo.NodeFaults) { f.Forgetful = true }) },
		want: []string{"session_lost"}, also: []checks.Code{checks.SessionNotShared, checks.SessionDrift},
	},
	{
		name: "older contents", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change(r.ownNode(), func(f *demo.NodeFaults) { f.Rollback = true }) },
		want: []string{"session_rollback"},
	},
	{
		name: "cookie for another path", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.CookiePath = "/elsewhere" }) },
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost, checks.SessionDrift},
	},
	{
		name: "one worker has ejected a node", on: named("demo ip_hash"), plan: plan{front: frontPlan{workers: 2, upgrade: true}},
		act: func(r *rig) {
			r.front.(*demo.Balancer).Change(func(f *demo.BalancerFaults) {
				f.Ejected, f.OnlyWorker = []string{r.node("node2").Addr()}, 1
			})
		},
		want: []string{"balancer_split"},
	},
	{
		name: "sessions lost on two nodes", on: choosing, plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) {
			for _, id := range []string{"node1", "node2"} {
				r.change(id, func(f *demo.NodeFaults) { f.Forgetful = true })
			}
		},
		want: []string{"session_lost"}, also: []checks.Code{checks.SessionNotShared, checks.SessionDrift},
	},
	{
		name: "no cookie is set", on: both(holdsAny, some), plan: plan{middleware: noCookie},
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost, checks.SessionDrift},
	},
	{
		name: "no cookie that tells the node", on: both(sticky, some), plan: plan{profile: "tomcat", shared: true, middleware: noCookie},
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost}, doubt: "do not show which node",
	},
}
