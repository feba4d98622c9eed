package watch

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A user holds a session and sends requests with it. When the session is lost, the user
// opens another one.
type user struct {
	cluster       *probes.Cluster
	front         probes.Frontend
	counterBases  *counterBases
	watchedClient gate.WatchedClient // the client, with its timeline since before the watch

	canary   *probes.Canary // nil: the session is lost
	requests int
}

// writeEvery is the number of samples after which a user stores another value in the
// session, so that a stale session is noticed.
const writeEvery = 4

func newUser(c *probes.Cluster, front probes.Frontend, key, targetNode string, b *counterBases) *user {
	return &user{
		cluster: c, front: front, counterBases: b,
		watchedClient: gate.WatchedClient{Frontend: frontendName(front), Client: key, TargetNode: targetNode},
	}
}

func (u *user) at() probes.Frontend { return u.front }

// stays is true: a browser asks DNS again when its connection fails.
func (u *user) stays() bool { return true }

// moveTo makes another address of the balancer the user's, who keeps the session's cookies.
func (u *user) moveTo(front probes.Frontend) bool {
	u.front, u.watchedClient.Frontend = front, frontendName(front)
	if u.canary != nil {
		u.canary.MoveTo(front)
	}
	return true
}

// sample sends a request of the session, or opens one, and sometimes stores a value.
func (u *user) sample(ctx context.Context) []gate.Sample {
	if u.canary == nil {
		return u.openSession(ctx, anywhere)
	}
	came := u.record(u.canary.Return(ctx))
	u.requests++
	if u.canary != nil && came.Good && u.requests%writeEvery == 0 && u.mayWrite() {
		return []gate.Sample{came, u.record(u.canary.Write(ctx))}
	}
	return []gate.Sample{came}
}

// anywhere accepts the answer of any node.
func anywhere(probes.Exchange) bool { return true }

// openSession opens a session and stores a value in it. Where that takes a login, it logs in
// only after a first answer that is accepted.
func (u *user) openSession(ctx context.Context, accept func(probes.Exchange) bool) []gate.Sample {
	canary := probes.NewCanary(u.cluster, u.front, u.watchedClient.Client, u.watchedClient.TargetNode, u.counterBases.next())
	if visit := canary.Visit(ctx); visit.OK() && accept(visit) {
		canary.LogIn(ctx)
	}
	first := gate.SampleOf(canary.First(), probes.SessionUnknown)
	visitor := canary.Trace().Visitor
	first.New, first.Good = !visitor, first.Good || visitor && turnedAway(first)
	if !first.Good || visitor {
		return []gate.Sample{first}
	}
	u.canary = canary
	if ex := canary.Write(ctx); ex.Path != "" {
		return []gate.Sample{first, u.record(ex)}
	}
	return []gate.Sample{first}
}

// logOut gives up the session.
func (u *user) logOut(ctx context.Context) {
	if u.canary != nil {
		u.canary.LogOut(ctx)
	}
}

// record converts an answer and drops the session if it is lost. It clears the canary's
// history, which would grow without limit.
func (u *user) record(ex probes.Exchange) gate.Sample {
	trace := u.canary.Trace()
	s := gate.SampleOf(ex, trace.SessionOutcome(len(trace.Steps)-1))
	if !u.canary.StartNextRound() {
		u.canary = nil
	}
	return s
}

// mayWrite reports whether a write cannot hide a loss: where only the value
// distinguishes one session from another, storing one makes them equal.
func (u *user) mayWrite() bool {
	s := u.cluster.Session
	return s != nil && s.Write != "" && s.ID != nil
}

// A newClient is another client with every request.
type newClient struct {
	cluster       *probes.Cluster
	front         probes.Frontend
	watchedClient gate.WatchedClient
}

func newNewClient(c *probes.Cluster, front probes.Frontend, key, targetNode string) *newClient {
	return &newClient{c, front, gate.WatchedClient{Frontend: frontendName(front), Client: key, TargetNode: targetNode}}
}

func (n *newClient) sample(ctx context.Context) []gate.Sample {
	ex := probes.NewCanary(n.cluster, n.front, n.watchedClient.Client, n.watchedClient.TargetNode, 0).Visit(ctx)
	s := gate.SampleOf(ex, probes.SessionUnknown)
	s.Good = s.Good || n.cluster.Session != nil && n.cluster.Session.Login != nil && turnedAway(s)
	return []gate.Sample{s}
}

func (n *newClient) at() probes.Frontend { return n.front }

// stays is false: a new client goes where DNS sends it.
func (n *newClient) stays() bool { return false }

// moveTo returns false: the other address has new clients of its own.
func (n *newClient) moveTo(probes.Frontend) bool { return false }

// turnedAway reports whether an answer is one to a visitor of an application with a login.
func turnedAway(s gate.Sample) bool {
	return s.Status == http.StatusUnauthorized || s.Status == http.StatusForbidden
}

// counterBases keeps the values of all sessions distinct: each session counts from its
// own base, and not up to the next one.
type counterBases struct{ opened atomic.Int64 }

func (b *counterBases) next() int { return 1_000_000 * int(b.opened.Add(1)) }

// frontendName returns the display name of an address of the balancer.
func frontendName(front probes.Frontend) string {
	if shown := front.URL.Redacted(); front.URL.Host == front.Address.String() || !front.Address.IsValid() {
		return shown
	}
	return front.URL.Redacted() + " at " + front.Address.String()
}

// openClients opens a session on every node through each address of the balancer, and
// finds new clients for each node. The number of attempts is limited; the report lists
// the sessions that are missing.
func (w *Watch) openClients(ctx context.Context, fronts []probes.Frontend) (users []*user, newClients []*newClient) {
	keys := w.keys()
	for _, front := range fronts {
		if !front.Address.IsValid() {
			continue
		}
		if len(keys) > 0 {
			for _, node := range slices.Sorted(maps.Keys(keys)) {
				newClients = append(newClients, newNewClient(w.cluster, front, keys[node], node))
			}
		} else {
			newClients = append(newClients, newNewClient(w.cluster, front, "", ""))
		}
		if w.hasSessions() {
			users = append(users, w.openSessions(ctx, front, keys)...)
		}
	}
	return users, newClients
}

// hasSessions reports whether the application has sessions.
func (w *Watch) hasSessions() bool {
	return w.cluster.Session != nil && w.cluster.Session.Policy != probes.PolicyNone
}

// keys returns the client addresses or hash keys by which the first round reached each
// node; none where the balancer accepts no client address.
func (w *Watch) keys() map[string]string {
	keys := make(map[string]string)
	for _, trace := range w.record.Before.Traces {
		if trace.TargetNode != "" && keys[trace.TargetNode] == "" {
			keys[trace.TargetNode] = trace.Client
		}
	}
	return keys
}

// openSessions opens the sessions through one address.
func (w *Watch) openSessions(ctx context.Context, front probes.Frontend, keys map[string]string) []*user {
	var users []*user
	if len(keys) > 0 {
		for _, node := range slices.Sorted(maps.Keys(keys)) {
			for range w.config.Sessions {
				if w.onlyOne(users) {
					break
				}
				users = append(users, w.open(ctx, newUser(w.cluster, front, keys[node], node, &w.counterBases), anywhere))
			}
		}
		return users
	}
	wanted := w.missingSessions()
	identity := checks.Identify(w.cluster, w.record.Before.Nodes)
	for range w.maxClients(wanted) {
		if len(wanted) == 0 || ctx.Err() != nil || w.onlyOne(users) {
			break
		}
		u := w.open(ctx, newUser(w.cluster, front, "", "", &w.counterBases), func(ex probes.Exchange) bool { return wanted[identity.NodeOf(ex.Label)] > 0 })
		if node := ownerOf(u, identity); u.canary != nil && wanted[node] > 0 {
			users = append(users, u)
			if wanted[node]--; wanted[node] == 0 {
				delete(wanted, node)
			}
		} else {
			u.logOut(ctx)
		}
	}
	slices.SortStableFunc(users, func(a, b *user) int { return cmp.Compare(ownerOf(a, identity), ownerOf(b, identity)) })
	return users
}

// onlyOne reports whether the application allows the account the one session that is held.
func (w *Watch) onlyOne(users []*user) bool {
	return len(w.users)+len(users) > 0 && w.cluster.LoginStatus().Single
}

// open opens a user's session before the watch.
func (w *Watch) open(ctx context.Context, u *user, accept func(probes.Exchange) bool) *user {
	for _, s := range u.openSession(ctx, accept) {
		u.watchedClient.Timeline.Add(s)
	}
	return u
}

// maxUnlabelled is the number of sessions where answers do not identify their node.
const maxUnlabelled = 3

// missingSessions returns the number of sessions still to be opened, by node id.
// Sessions whose answers do not identify their node have the key "".
func (w *Watch) missingSessions() map[string]int {
	wanted := make(map[string]int)
	observations := false
	for _, o := range w.record.Before.Nodes {
		observations = observations || o.Label != ""
	}
	for _, n := range checks.Eligible(w.cluster, w.record.Before.Nodes) {
		wanted[n.ID] = w.config.Sessions
	}
	if !observations {
		wanted[""] = maxUnlabelled
	}
	return wanted
}

// maxClients limits the clients that are sent until every node was met.
func (w *Watch) maxClients(wanted map[string]int) int {
	most := len(wanted) * w.config.Sessions
	for _, n := range w.cluster.Nodes {
		if wanted[n.ID] > 0 {
			most = max(most, w.config.Sessions*checks.ClientsToMiss(w.cluster, n, checks.DefaultConfidence))
		}
	}
	return min(most, checks.MaxNewClients)
}

// ownerOf returns the node that opened a user's session.
func ownerOf(u *user, identity checks.Identity) string {
	for _, run := range u.watchedClient.Timeline {
		if run.First.Good {
			return identity.NodeOf(run.First.Label)
		}
	}
	return ""
}
