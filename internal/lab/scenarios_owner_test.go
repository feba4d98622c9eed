package lab

import (
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// ownerScenarios are sessions of another client, or sessions that are only reported as
// known.
var ownerScenarios = []scenario{
	{
		name: "a client reads what another stored", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked},
	},
	{
		name: "a client reads what another stored, shared", on: both(notSticky, some), plan: plan{profile: "tomcat", policy: probes.PolicyShared, shared: true},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked},
	},
	{
		name: "a client reads what another stored on one node", on: both(sticky, some), plan: plan{profile: "tomcat", policy: probes.PolicySticky},
		act:   func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked, nodes: []string{"node2"}},
	},
	{
		name: "nodes accept any id and share nothing", on: both(holdsAny, choosing), plan: plan{policy: probes.PolicyReplicated},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, also: []checks.Code{checks.SessionNotShared},
	},
	{
		name: "nodes accept any id and share nothing, without a counter", on: both(notSticky, seesAll), plan: plan{policy: probes.PolicyShared},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, also: []checks.Code{checks.SessionNotShared, checks.SessionLost},
	},
	{
		name: "nodes accept any id and share nothing, tomcat", on: both(sticky, choosing), plan: plan{profile: "tomcat"},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, want: []string{"session_not_shared"},
	},
	{
		name: "nodes accept any id and share all", on: both(both(sticky, choosing), some), plan: plan{profile: "tomcat", shared: true},
		act: func(r *rig) { r.changeAll(adoptIDs) },
		is:  checks.Healthy,
	},
	{
		name: "users are told that they lose sessions now", on: notSticky, plan: plan{profile: "tomcat", policy: probes.PolicyShared},
		cause: cause{code: checks.SessionLost, or: checks.SessionNotShared, omits: []string{"would lose"}},
	},
}

// adoptIDs is the fault that a node opens a session under any id that it receives.
func adoptIDs(f *demo.NodeFaults) { f.AdoptIDs = true }

func now() string { return time.Now().Format(time.RFC3339Nano) }
