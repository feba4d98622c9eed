package lab

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// A plan is what a rig is to look like.
type plan struct {
	profile string
	policy  probes.Policy       // "": the profile's
	shared  bool                // one session store for all nodes
	redis   bool                // nodes depend on a real Redis
	gbk     bool                // the e-Bridge page is in GBK
	store   demo.Store          // where the nodes keep their sessions; nil: see shared
	stores  func() []demo.Store // where each of three does; nil: see store

	memcached func(context.Context) string // what memcached-session-manager puts into ids
	nodes     int                          // 0: 3
	unlisted  int                          // how many of them are not in the configuration
	weights   []int                        // by node; nil: equal
	down      string                       // this node is marked down, in the balancer and the configuration
	backup    string                       // this node is a backup in both
	prefix    string                       // of every path, at the balancer and at the nodes

	// skin is put around every node, so that its pages look as no demo node's do.
	middleware  func(*demo.Node) http.Handler
	middlewares map[*demo.Node]string // where nodes with a skin listen: see newRig

	front frontPlan
}

// addr is where the balancer finds a node.
func (p plan) addr(n *demo.Node) string { return cmp.Or(p.middlewares[n], n.Addr()) }

// crosses: the policy has sessions presented to nodes directly.
func (p plan) crosses() bool {
	switch p.policy {
	case "":
		return strings.HasPrefix(p.profile, "tomcat")
	default:
		return p.policy == probes.PolicyShared || p.policy == probes.PolicyReplicated
	}
}

// A frontPlan is how the balancer differs from a healthy one.
type frontPlan struct {
	down     string // this node is marked down in the balancer, and nobody said so
	upgrade  bool   // passes the WebSocket upgrade
	workers  int    // that count failures each for itself; 0: one
	maxFails int    // 0: 1
	// failTimeout is nginx's; 0: longer than any test
	failTimeout time.Duration
	misnamed    string // the balancer has another name for this node than it has itself
	dead        bool   // its servers are where nothing listens
	locations   string // nginx: more locations
}
