package lab

import (
	"context"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

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
		name: "one node is outside the replication", on: both(choosing, some), plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Private = true }) },
		want: []string{"session_not_shared"},
	},
	{
		name: "replication goes one way", on: both(choosing, some), plan: plan{profile: "tomcat", stores: oneWay},
		want: []string{"session_not_shared"},
	},
	{
		name: "older contents of a shared session", on: both(notSticky, some), plan: plan{profile: "tomcat", policy: probes.PolicyShared, shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Rollback = true }) },
		want: []string{"session_rollback"},
	},
	{
		name: "one node knows no shared session", on: both(notSticky, some), plan: plan{profile: "tomcat-msm", shared: true},
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

func (m asymmetricStore) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	if s, ok, err := m.own.Get(ctx, id); ok || err != nil {
		return s, ok, err
	}
	return m.others.Get(ctx, id)
}

func (m asymmetricStore) Put(ctx context.Context, id string, s demo.Session) error {
	return m.own.Put(ctx, id, s)
}
