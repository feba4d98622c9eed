package lab

import (
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
)

// returningScenarios are clusters that fail clients with a session, and serve new ones.
var returningScenarios = []scenario{
	{
		name: "clients with a session get 500", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"500"}},
	},
	{
		name: "clients with a session get 500, one node is seen", on: func(f front) bool { return holdsAny(f) && f.narrow }, plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(500)) },
		cause: cause{code: checks.SessionFailing, mentions: []string{"500"}},
	},
	{
		name: "clients with a session get 500, tomcat", on: matchesAll(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"500"}},
	},
	{
		name: "clients with a session get 500, e-Bridge", on: matchesAll(holdsAny, some), plan: plan{profile: "ebridge"},
		act:   func(r *rig) { r.changeAll(returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"500"}},
	},
	{
		name: "clients with a session get 500, shared", on: notSticky, plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.changeAll(returning(500)) },
		cause: cause{code: checks.SessionFailing, mentions: []string{"500"}},
	},
	{
		name: "clients with a session on one node get 500", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.change("node2", returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: []string{"node2"}, mentions: []string{"node2"}},
	},
	{
		name: "clients with a session on one node get 500, tomcat", on: matchesAll(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.change("node2", returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: []string{"node2"}, mentions: []string{"node2"}},
	},
	{
		name: "clients with a session get 500 from one node, shared", on: matchesAll(notSticky, some), plan: plan{profile: "tomcat-msm", shared: true},
		act:   func(r *rig) { r.change("node2", returning(500)) },
		cause: cause{code: checks.SessionFailing, nodes: []string{"node2"}, mentions: []string{"node2"}},
	},
	{
		name: "the key ring is not shared, 400", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(400)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"400"}},
	},
	{
		name: "clients with a session get 403", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(403)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"403"}},
	},
	{
		name: "clients with a session get 419", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(419)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"419"}},
	},
	{
		name: "clients with a session get 401", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(401)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"401"}},
	},
	{
		name: "clients with a session get 404", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act:   func(r *rig) { r.changeAll(returning(404)) },
		cause: cause{code: checks.SessionFailing, nodes: allThree, mentions: []string{"404"}},
	},
	{
		name: "clients with a session get 503 on one node", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act: func(r *rig) { r.change("node2", returning(503)) },
		// From outside the status may as well come from the balancer.
		cause: cause{code: checks.SessionFailing, or: checks.BalancerError, mentions: []string{"503"}},
	},
	{
		name: "clients with a session get 500 on two nodes", on: matchesAll(holdsAny, seesAll, some), plan: plan{},
		act: func(r *rig) {
			r.change("node1", returning(500))
			r.change("node3", returning(500))
		},
		cause: cause{code: checks.SessionFailing, nodes: []string{"node1", "node3"}, mentions: []string{"500"}},
	},
	{
		name: "sessions cannot be stored, 500", on: matchesAll(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(storing(500)) },
		cause: cause{code: checks.SessionFailing, mentions: []string{"500", "written|stored|write|store"}},
	},
	{
		name: "sessions cannot be stored, 419", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(storing(419)) },
		cause: cause{code: checks.SessionFailing, mentions: []string{"419", "written|stored|write|store"}},
	},
	{
		name: "sessions cannot be stored on one node", on: matchesAll(sticky, seesAll), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.change("node2", storing(500)) },
		cause: cause{code: checks.SessionFailing, severity: checks.Warning, nodes: []string{"node2"}, mentions: []string{"written|stored|write|store"}},
	},
	{
		name: "clients with a session are led to a login", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.LoginRedirect = true }) },
		cause: cause{code: checks.SessionFailing, or: checks.SessionLost, mentions: []string{"/login"}},
	},
	{
		name: "clients with a session are led to a login, tomcat", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.LoginRedirect = true }) },
		cause: cause{code: checks.SessionFailing, or: checks.SessionLost, mentions: []string{"/login"}},
	},
	{
		name: "clients with a session are led to a login by one node", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act:   func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.LoginRedirect = true }) },
		cause: cause{code: checks.SessionFailing, or: checks.SessionLost, nodes: []string{"node2"}, mentions: []string{"/login"}},
	},
	{
		name: "a third of what returning clients ask is never answered", on: matchesAll(holdsAny, seesAll), plan: plan{},
		act: func(r *rig) {
			r.cluster.Limits.Timeout = time.Second
			r.changeAll(func(f *demo.NodeFaults) { f.ReturningHangs = 3 })
		},
		never: checks.Healthy, also: []checks.Code{checks.SessionFailing, checks.PageFailing, checks.BalancerError, checks.NodeFailingInRotation},
	},
	{
		name: "a third of what returning clients ask is never answered, tomcat", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Timeout = time.Second
			r.changeAll(func(f *demo.NodeFaults) { f.ReturningHangs = 3 })
		},
		never: checks.Healthy, also: []checks.Code{checks.SessionFailing, checks.PageFailing, checks.BalancerError, checks.NodeFailingInRotation},
	},
}

var allThree = []string{"node1", "node2", "node3"}

// returning is the fault that clients with a session get a status.
func returning(status int) func(*demo.NodeFaults) {
	return func(f *demo.NodeFaults) { f.ReturningStatus = status }
}

// storing is the fault that requests which store a value get a status.
func storing(status int) func(*demo.NodeFaults) {
	return func(f *demo.NodeFaults) { f.StoringStatus = status }
}
