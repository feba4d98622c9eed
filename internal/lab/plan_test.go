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

// A plan describes a rig.
type plan struct {
	profile string
	policy  probes.Policy       // "": the profile's
	shared  bool                // all nodes share a session store
	redis   bool                // nodes depend on a real Redis
	gbk     bool                // the e-Bridge page is encoded in GBK
	store   demo.Store          // session store of all nodes; nil: see shared
	stores  func() []demo.Store // session stores of three nodes; nil: see store

	memcached func(context.Context) string // memcached node that memcached-session-manager puts into ids
	nodes     int                          // 0: 3
	unlisted  int                          // number of nodes that are not in stickwatch's configuration
	weights   []int                        // by node; nil: equal
	down      string                       // node marked down in the balancer and in stickwatch's configuration
	backup    string                       // backup node in both
	prefix    string                       // prefix of every path, at the balancer and at the nodes

	// middleware wraps every node, so that its pages differ from those of demo nodes.
	middleware  func(*demo.Node) http.Handler
	middlewares map[*demo.Node]string // addresses of wrapped nodes: see newRig

	front frontPlan
}

// addr returns the address of a node for the balancer.
func (p plan) addr(n *demo.Node) string { return cmp.Or(p.middlewares[n], n.Addr()) }

// crosses reports whether the policy requires failover checks.
func (p plan) crosses() bool {
	switch p.policy {
	case "":
		return strings.HasPrefix(p.profile, "tomcat")
	default:
		return p.policy == probes.PolicyShared || p.policy == probes.PolicyReplicated
	}
}

// A frontPlan describes how the balancer differs from a healthy one.
type frontPlan struct {
	down     string // node marked down in the balancer only
	upgrade  bool   // passes the WebSocket upgrade
	workers  int    // number of workers, each with its own failure counts; 0: 1
	maxFails int    // 0: 1
	// failTimeout is nginx's; 0: longer than any test
	failTimeout time.Duration
	misnamed    string // node whose name in the balancer is wrong
	dead        bool   // nothing listens at the servers' addresses
	locations   string // nginx: further locations
}
