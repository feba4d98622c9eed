package watch

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"stickwatch/checks"
	"stickwatch/probes"
)

// openClients opens a session on every node through every address of the balancer, and
// finds new clients for each node. The number of attempts is limited; the report lists
// the sessions that are missing.
func (v *Watch) openClients(ctx context.Context) (users []*user, newClients []*newClient) {
	keys := v.keys()
	for _, e := range probes.Resolve(ctx, v.cluster) {
		if !e.Address.IsValid() {
			continue
		}
		if len(keys) > 0 {
			for _, node := range slices.Sorted(maps.Keys(keys)) {
				newClients = append(newClients, newNewClient(v.cluster, e, keys[node], node))
			}
		} else {
			newClients = append(newClients, newNewClient(v.cluster, e, "", ""))
		}
		if v.hasSessions() {
			users = append(users, v.openSessions(ctx, e, keys)...)
		}
	}
	return users, newClients
}

// hasSessions reports whether the application has sessions.
func (v *Watch) hasSessions() bool {
	return v.cluster.Session != nil && v.cluster.Session.Policy != probes.PolicyNone
}

// keys returns the client addresses or hash keys by which the first round reached each
// node; none where the balancer accepts no client address.
func (v *Watch) keys() map[string]string {
	keys := make(map[string]string)
	for _, w := range v.record.Before.Traces {
		if w.Expected != "" && keys[w.Expected] == "" {
			keys[w.Expected] = w.Client
		}
	}
	return keys
}

// openSessions opens the sessions through one address.
func (v *Watch) openSessions(ctx context.Context, e probes.Frontend, keys map[string]string) []*user {
	var users []*user
	if len(keys) > 0 {
		for _, node := range slices.Sorted(maps.Keys(keys)) {
			for range v.config.Sessions {
				users = append(users, v.open(ctx, newUser(v.cluster, e, keys[node], node, &v.counterBases)))
			}
		}
		return users
	}
	wanted := v.missingSessions()
	identity := checks.Identify(v.cluster, v.record.Before.Nodes)
	for range v.maxClients(wanted) {
		if len(wanted) == 0 || ctx.Err() != nil {
			break
		}
		u := v.open(ctx, newUser(v.cluster, e, "", "", &v.counterBases))
		if node := ownerOf(u, identity); u.canary != nil && wanted[node] > 0 {
			users = append(users, u)
			if wanted[node]--; wanted[node] == 0 {
				delete(wanted, node)
			}
		}
	}
	slices.SortStableFunc(users, func(a, b *user) int { return cmp.Compare(ownerOf(a, identity), ownerOf(b, identity)) })
	return users
}

// open opens a user's session before the watch.
func (v *Watch) open(ctx context.Context, u *user) *user {
	for _, b := range u.openSession(ctx) {
		u.watchedClient.Timeline.Add(b)
	}
	return u
}

// maxUnlabelled is the number of sessions where answers do not identify their node.
const maxUnlabelled = 3

// missingSessions returns the number of sessions still to be opened, by node id.
// Sessions whose answers do not identify their node have the key "".
func (v *Watch) missingSessions() map[string]int {
	wanted := make(map[string]int)
	observations := false
	for _, o := range v.record.Before.Nodes {
		observations = observations || o.Label != ""
	}
	for _, n := range checks.Serving(v.cluster, v.record.Before.Nodes) {
		wanted[n.ID] = v.config.Sessions
	}
	if !observations {
		wanted[""] = maxUnlabelled
	}
	return wanted
}

// maxClients limits the clients that are sent until every node was met.
func (v *Watch) maxClients(wanted map[string]int) int {
	most := len(wanted) * v.config.Sessions
	for _, n := range v.cluster.Nodes {
		if wanted[n.ID] > 0 {
			most = max(most, v.config.Sessions*checks.ClientsToMiss(v.cluster, n, checks.DefaultConfidence))
		}
	}
	return min(most, checks.MaxFreshClients)
}

// ownerOf returns the node that opened a user's session.
func ownerOf(u *user, identity checks.Identity) string {
	for _, s := range u.watchedClient.Timeline {
		if s.First.Good {
			return identity.NodeOf(s.First.Label)
		}
	}
	return ""
}
