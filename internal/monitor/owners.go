package monitor

import (
	"context"
	"slices"
	"sync"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// checksOfAnOwner bounds how many sessions are presented to one node directly in a
// round.
const checksOfAnOwner = 3

// checkOwners presents the sessions that were lost, or that another node answered,
// to the nodes that opened them: whether those still know them tells a restart
// from a balancer that sent the client elsewhere. Under other policies than sticky
// any loss counts, whatever its node knows.
func checkOwners(ctx context.Context, c *probes.Cluster, who checks.Identity, canaries []*probes.Canary) []probes.OwnerCheck {
	if c.Session == nil || c.Session.Policy != probes.PolicySticky {
		return nil
	}
	var list []probes.OwnerCheck
	var mu sync.Mutex
	var wg panics.Group
	asked := make(map[string]int)
	for _, canary := range canaries {
		walk := canary.Walk()
		owner := who.Who(walk.Opener)
		at := slices.IndexFunc(c.Nodes, func(n probes.Node) bool { return n.ID == owner })
		if at < 0 || asked[owner] >= checksOfAnOwner || !strayed(walk, who) {
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

// strayed reports whether a client lost its session, or met another node than the
// one that opened it.
func strayed(w probes.Walk, who checks.Identity) bool {
	owner := who.Who(w.Opener)
	for i, s := range w.Steps {
		if node := who.Who(s.Label); i > 0 && s.OK() && (w.Fate(i) == probes.FateLost || node != "" && node != owner) {
			return true
		}
	}
	return false
}
