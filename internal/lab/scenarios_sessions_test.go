package lab

import (
	"context"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
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
		name: "no cookie is set", on: matchesAll(holdsAny, some), plan: plan{middleware: noCookie},
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost, checks.SessionDrift},
	},
	{
		name: "no cookie that tells the node", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", shared: true, middleware: noCookie},
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost}, doubt: "do not show which node",
	},
}

// ownerScenarios are sessions of another client, or sessions that are only reported as
// known.
var ownerScenarios = []scenario{
	{
		name: "a client reads what another stored", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked},
	},
	{
		name: "a client reads what another stored, shared", on: matchesAll(notSticky, some), plan: plan{profile: "tomcat", policy: probes.PolicyShared, shared: true},
		act:   func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked},
	},
	{
		name: "a client reads what another stored on one node", on: matchesAll(sticky, some), plan: plan{profile: "tomcat", policy: probes.PolicySticky},
		act:   func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Overwrites = true }) },
		cause: cause{code: checks.SessionLeaked, nodes: []string{"node2"}},
	},
	{
		name: "nodes accept any id and share nothing", on: matchesAll(holdsAny, choosing), plan: plan{policy: probes.PolicyReplicated},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, also: []checks.Code{checks.SessionNotShared},
	},
	{
		name: "nodes accept any id and share nothing, without a counter", on: matchesAll(notSticky, seesAll), plan: plan{policy: probes.PolicyShared},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, also: []checks.Code{checks.SessionNotShared, checks.SessionLost},
	},
	{
		name: "nodes accept any id and share nothing, tomcat", on: matchesAll(sticky, choosing), plan: plan{profile: "tomcat"},
		act:   func(r *rig) { r.changeAll(adoptIDs) },
		apart: true, want: []string{"session_not_shared"},
	},
	{
		name: "nodes accept any id and share all", on: matchesAll(sticky, choosing, some), plan: plan{profile: "tomcat", shared: true},
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

// guaranteeScenarios are sessions that other nodes should know, or need not.
var guaranteeScenarios = []scenario{
	{
		name: "replication does not work", on: sticky, plan: plan{profile: "tomcat"},
		act: func(*rig) {}, want: []string{"session_not_shared"},
	},
	{
		name: "sharing is switched off", on: notSticky, plan: plan{profile: "tomcat-msm"},
		act: func(*rig) {}, want: []string{"session_lost", "session_not_shared"},
	},
	{
		name: "the balancer alters the cookie", on: named("haproxy cookie prefix"), plan: plan{profile: "tomcat", shared: true},
		is: checks.Healthy,
	},
	{
		name: "nothing is guaranteed", on: some, plan: plan{policy: probes.PolicyNone}, is: checks.Healthy,
	},
	{
		name: "one node is outside the replication", on: matchesAll(choosing, some), plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Private = true }) },
		want: []string{"session_not_shared"},
	},
	{
		name: "replication goes one way", on: matchesAll(choosing, some), plan: plan{profile: "tomcat", stores: oneWay},
		want: []string{"session_not_shared"},
	},
	{
		name: "older contents of a shared session", on: matchesAll(notSticky, some), plan: plan{profile: "tomcat", policy: probes.PolicyShared, shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Rollback = true }) },
		want: []string{"session_rollback"},
	},
	{
		name: "one node knows no shared session", on: matchesAll(notSticky, some), plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Private = true }) },
		want: []string{"session_lost", "session_not_shared"},
	},
}

// oneWay returns stores that copy all sessions to the third node, which copies its own
// to no other.
func oneWay() []demo.Store {
	rest := demo.NewStore()
	return []demo.Store{rest, rest, asymmetricStore{rest, demo.NewStore()}}
}

// An asymmetricStore reads from both stores and writes to its own.
type asymmetricStore struct{ others, own demo.Store }

func (a asymmetricStore) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	if s, ok, err := a.own.Get(ctx, id); ok || err != nil {
		return s, ok, err
	}
	return a.others.Get(ctx, id)
}

func (a asymmetricStore) Put(ctx context.Context, id string, s demo.Session) error {
	return a.own.Put(ctx, id, s)
}
