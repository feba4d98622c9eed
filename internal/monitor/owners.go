package monitor

import (
	"context"
	"slices"
	"sync"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// maxChecksPerOwner bounds how many sessions are presented to one node directly in a
// round.
const maxChecksPerOwner = 3

// checkOwners presents the sessions that were lost, or that another node answered,
// to the nodes that opened them: whether those still know them tells a restart
// from a balancer that sent the client elsewhere. Under other policies than sticky
// any loss counts, whatever its node knows.
func checkOwners(ctx context.Context, c *probes.Cluster, identity checks.Identity, canaries []*probes.Canary) []probes.OwnerCheck {
	if c.Session == nil || c.Session.Policy != probes.PolicySticky {
		return nil
	}
	var list []probes.OwnerCheck
	var mu sync.Mutex
	var wg panics.Group
	asked := make(map[string]int)
	for _, canary := range canaries {
		trace := canary.Trace()
		owner := identity.NodeOf(trace.OpenedBy)
		at := slices.IndexFunc(c.Nodes, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || asked[owner] >= maxChecksPerOwner || !movedOrLost(trace, identity) {
			continue
		}
		asked[owner]++
		wg.Go(func() {
			check := canary.CheckOwner(ctx, c.Nodes[at])
			mu.Lock()
			defer mu.Unlock()
			list = append(list, check)
		})
	}
	wg.Wait()
	return list
}

// movedOrLost reports whether a client lost its session, or met another node than the
// one that opened it.
func movedOrLost(w probes.Trace, identity checks.Identity) bool {
	owner := identity.NodeOf(w.OpenedBy)
	for i, s := range w.Steps {
		if node := identity.NodeOf(s.Label); i > 0 && s.OK() && (w.SessionOutcome(i) == probes.SessionLost || node != "" && node != owner) {
			return true
		}
	}
	return false
}
