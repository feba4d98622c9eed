package vigil

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// gather opens a session on every node through every address of the balancer,
// and finds newcomers for each. It is bounded, and what it could not open is
// for the judge to miss.
func (v *Vigil) gather(ctx context.Context) (users []*user, newcomers []*newcomer) {
	keys := v.keys()
	for _, e := range probes.Resolve(ctx, v.cluster) {
		if !e.Address.IsValid() {
			continue
		}
		if len(keys) > 0 {
			for _, node := range slices.Sorted(maps.Keys(keys)) {
				newcomers = append(newcomers, newNewcomer(v.cluster, e, keys[node], node))
			}
		} else {
			newcomers = append(newcomers, newNewcomer(v.cluster, e, "", ""))
		}
		if v.holds() {
			users = append(users, v.hold(ctx, e, keys)...)
		}
	}
	return users, newcomers
}

// holds reports whether there are sessions to hold.
func (v *Vigil) holds() bool {
	return v.cluster.Session != nil && v.cluster.Session.Policy != probes.PolicyNone
}

// keys are the client addresses, or whatever the balancer hashes, by which the
// opening picture reached each node; none where the balancer cannot be told one.
func (v *Vigil) keys() map[string]string {
	keys := make(map[string]string)
	for _, w := range v.record.Before.Walks {
		if w.Expected != "" && keys[w.Expected] == "" {
			keys[w.Expected] = w.Client
		}
	}
	return keys
}

// hold opens the sessions of one address.
func (v *Vigil) hold(ctx context.Context, e probes.Entrance, keys map[string]string) []*user {
	var users []*user
	if len(keys) > 0 {
		for _, node := range slices.Sorted(maps.Keys(keys)) {
			for range v.config.Sessions {
				users = append(users, v.open(ctx, newUser(v.cluster, e, keys[node], node, &v.bases)))
			}
		}
		return users
	}
	wanted := v.wanted()
	who := checks.Identify(v.cluster, v.record.Before.Nodes)
	for range v.tries(wanted) {
		if len(wanted) == 0 || ctx.Err() != nil {
			break
		}
		u := v.open(ctx, newUser(v.cluster, e, "", "", &v.bases))
		if node := home(u, who); u.canary != nil && wanted[node] > 0 {
			users = append(users, u)
			if wanted[node]--; wanted[node] == 0 {
				delete(wanted, node)
			}
		}
	}
	slices.SortStableFunc(users, func(a, b *user) int { return cmp.Compare(home(a, who), home(b, who)) })
	return users
}

// open begins a user's session before the watch.
func (v *Vigil) open(ctx context.Context, u *user) *user {
	for _, b := range u.begin(ctx) {
		u.lane.Track.Add(b)
	}
	return u
}

// untold is how many sessions are held where answers do not tell their node.
const untold = 3

// wanted is how many sessions are still to be held, by node id. Those whose
// answers do not tell their node are held under "".
func (v *Vigil) wanted() map[string]int {
	wanted := make(map[string]int)
	told := false
	for _, o := range v.record.Before.Nodes {
		told = told || o.Label != ""
	}
	for _, n := range checks.Serving(v.cluster, v.record.Before.Nodes) {
		wanted[n.ID] = v.config.Sessions
	}
	if !told {
		wanted[""] = untold
	}
	return wanted
}

// tries bounds how many clients come until every node was met.
func (v *Vigil) tries(wanted map[string]int) int {
	most := len(wanted) * v.config.Sessions
	for _, n := range v.cluster.Nodes {
		if wanted[n.ID] > 0 {
			most = max(most, v.config.Sessions*checks.ClientsToMiss(v.cluster, n, checks.DefaultConfidence))
		}
	}
	return min(most, checks.MaxFreshClients)
}

// home is the node that opened a user's session, as it was known before.
func home(u *user, who checks.Identity) string {
	for _, s := range u.lane.Track {
		if s.First.Good {
			return who.Who(s.First.Label)
		}
	}
	return ""
}
