package demo

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// balancerMethods are the methods that a Balancer supports.
var balancerMethods = []probes.Method{
	probes.MethodIPHash, probes.MethodHash, probes.MethodCookie, probes.MethodRoundRobin,
	probes.MethodLeastConn, probes.MethodRandom,
}

// An upstreamState is the state that nginx keeps for an upstream's servers: one per
// worker, or one for all of them with `zone`.
type upstreamState struct {
	mu         sync.Mutex
	peers      *peers
	roundRobin roundRobin
	conns      []int // requests in flight
}

func newUpstreamState(c BalancerConfig, servers []balance.Server) *upstreamState {
	return &upstreamState{
		peers:      newPeers(len(servers), c.MaxFails, c.FailTimeout),
		roundRobin: newRoundRobin(weights(servers)),
		conns:      make([]int, len(servers)),
	}
}

// A worker is a process of nginx: it chooses servers, and knows only the failures in
// its upstreamState.
type worker struct {
	number     int // from 1
	method     probes.Method
	cookieName string // of method cookie
	servers    []balance.Server
	ipHash     balance.Picker
	hash       balance.Picker

	*upstreamState
	random *rand.Rand
}

func newWorker(c BalancerConfig, servers []balance.Server, number int, state *upstreamState) *worker {
	return &worker{
		number:        number,
		method:        c.Method,
		cookieName:    c.Cookie,
		servers:       servers,
		ipHash:        balance.IPHash(servers),
		hash:          balance.Hash(servers),
		upstreamState: state,
		random:        rand.New(rand.NewPCG(c.Seed, uint64(number))),
	}
}

func (w *worker) methodOf(c *selection) probes.Method { return cmp.Or(c.faults.Method, w.method) }

// choose returns the server for a request, unless none is left. Every method falls back to
// round robin.
func (w *worker) choose(c *selection, now time.Time) (server int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	without := w.skipped(c, now)
	switch w.methodOf(c) {
	case probes.MethodIPHash:
		server, ok = w.ipHash.Pick(c.client, without...)
	case probes.MethodHash:
		server, ok = w.hash.Pick(c.client, without...)
	case probes.MethodCookie:
		server, ok = w.byCookie(c.cookie(w.cookieName), without)
	case probes.MethodLeastConn:
		server, ok = w.backupsLast(without, func(may func(int) bool) (int, bool) { return w.roundRobin.leastConn(w.conns, may) })
	case probes.MethodRandom:
		server, ok = w.pickRandom(without)
	}
	if !ok {
		server, ok = w.backupsLast(without, w.roundRobin.next)
	}
	if ok {
		w.conns[server]++
		w.peers.selected(server, now)
	}
	return server, ok
}

// skipped lists the servers to skip.
func (w *worker) skipped(c *selection, now time.Time) []int {
	var list []int
	unaffected := c.faults.OnlyWorker != 0 && c.faults.OnlyWorker != w.number
	for i, s := range w.servers {
		ejectedByFault := !unaffected && slices.Contains(c.faults.Ejected, s.Name)
		if s.Down || ejectedByFault || slices.Contains(c.tried, i) || w.peers.ejected(i, now) {
			list = append(list, i)
		}
	}
	return list
}

// byCookie returns the server that a cookie names.
func (w *worker) byCookie(name string, without []int) (int, bool) {
	i := indexOf(w.servers, name)
	return i, i >= 0 && !slices.Contains(without, i)
}

// pickRandom returns a random server, by weight.
func (w *worker) pickRandom(without []int) (int, bool) {
	var tickets []int
	for i, s := range w.servers {
		if !s.Backup && !slices.Contains(without, i) {
			tickets = append(tickets, slices.Repeat([]int{i}, max(s.Weight, 1))...)
		}
	}
	if len(tickets) == 0 {
		return 0, false
	}
	return tickets[w.random.IntN(len(tickets))], true
}

// backupsLast calls next to choose a server. Backups are used when no other server is left.
func (w *worker) backupsLast(without []int, next func(may func(int) bool) (int, bool)) (int, bool) {
	for _, backup := range [...]bool{false, true} {
		server, ok := next(func(i int) bool {
			return w.servers[i].Backup == backup && !slices.Contains(without, i)
		})
		if ok {
			return server, true
		}
	}
	return 0, false
}

func (w *worker) failed(server int, _ error, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[server]--
	w.peers.failed(server, now)
	w.roundRobin.failed(server, w.peers.maxFails)
}

func (w *worker) finished(server int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[server]--
	w.peers.finished(server)
}

// retry implements `proxy_next_upstream error timeout invalid_header`: every server is
// tried once, and a non-idempotent request is sent to another server only if it cannot
// have arrived.
func (w *worker) retry(c *selection, why error) (time.Duration, bool) {
	up := 0
	for _, s := range w.servers {
		if !s.Down {
			up++
		}
	}
	return 0, len(c.tried) < up && (c.request.Method != http.MethodPost || notSent(why))
}

func (w *worker) answered(c *selection, server int, header http.Header, _ time.Time) {
	name := w.servers[server].Name
	if w.methodOf(c) == probes.MethodCookie && c.cookie(w.cookieName) != name {
		addCookie(header, w.cookieName, name)
	}
}

func (w *worker) status(why error) int {
	if timedOut(why) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func (w *worker) usable(server int, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.servers[server].Down && !w.peers.ejected(server, now)
}

func addCookie(header http.Header, name, value string) {
	cookie := http.Cookie{Name: name, Value: value, Path: "/"}
	header.Add("Set-Cookie", cookie.String())
}

// peers is nginx's failure state of an upstream's servers, owned by one worker or, with
// `zone`, shared by all. It follows ngx_http_upstream_round_robin.c of nginx 1.22 exactly,
// including whole seconds, because max_fails and fail_timeout are often misunderstood: they are not a sliding
// window.
//
// The state is kept when every server is ejected. Old versions reset it for a quick
// recovery; 1.22 answers 502 until a fail_timeout has passed.
//
// It is not safe for concurrent use.
type peers struct {
	maxFails    int   // failures before a server is ejected; 0: never
	failTimeout int64 // seconds
	list        []peer
}

type peer struct {
	fails    int
	accessed int64 // second of the last failure
	checked  int64 // second of the last failure, or of the trial request after it
}

func newPeers(servers, maxFails int, failTimeout time.Duration) *peers {
	return &peers{maxFails: maxFails, failTimeout: int64(failTimeout / time.Second), list: make([]peer, servers)}
}

// single reports whether there is only one server: nginx then keeps no failure state.
func (p *peers) single() bool { return len(p.list) == 1 }

// ejected reports whether server i is skipped.
func (p *peers) ejected(i int, now time.Time) bool {
	peer := &p.list[i]
	return p.maxFails > 0 && peer.fails >= p.maxFails && now.Unix()-peer.checked <= p.failTimeout
}

// selected records that a request goes to server i. After fail_timeout that request is
// the trial: the server is skipped again until the request ends.
func (p *peers) selected(i int, now time.Time) {
	if peer := &p.list[i]; now.Unix()-peer.checked > p.failTimeout {
		peer.checked = now.Unix()
	}
}

// failed records a request that server i did not answer.
func (p *peers) failed(i int, now time.Time) {
	if p.single() {
		return
	}
	peer := &p.list[i]
	peer.fails++
	peer.accessed = now.Unix()
	peer.checked = now.Unix()
}

// finished records a request that ended in any other way, including a disconnect of the
// client. Only a request selected more than fail_timeout after the last failure resets
// the state.
func (p *peers) finished(i int) {
	if peer := &p.list[i]; !p.single() && peer.accessed < peer.checked {
		peer.fails = 0
	}
}

// A roundRobin implements nginx's smooth weighted round robin. It is not safe for
// concurrent use.
type roundRobin []weightedServer

type weightedServer struct {
	weight    int
	effective int // decreases with failures, and recovers by one per turn
	current   int
}

func newRoundRobin(weights []int) roundRobin {
	w := make(roundRobin, len(weights))
	for i, weight := range weights {
		w[i] = weightedServer{weight: weight, effective: weight}
	}
	return w
}

// next returns the next server among those that may be chosen.
func (r roundRobin) next(may func(int) bool) (best int, ok bool) {
	total := 0
	for i := range r {
		if !may(i) {
			continue
		}
		s := &r[i]
		s.current += s.effective
		total += s.effective
		s.effective = min(s.effective+1, s.weight)
		if !ok || s.current > r[best].current {
			best, ok = i, true
		}
	}
	if ok {
		r[best].current -= total
	}
	return best, ok
}

// countTurn counts a turn of server i that was chosen by other means.
func (r roundRobin) countTurn(i int, may func(int) bool) {
	for j := range r {
		if may(j) {
			r[j].current += r[j].effective
			r[i].current -= r[j].effective
		}
	}
}

// failed decreases the effective weight of server i.
func (r roundRobin) failed(i, maxFails int) {
	if s := &r[i]; maxFails > 0 {
		s.effective = max(s.effective-s.weight/maxFails, 0)
	}
}

// leastConn returns the server with the fewest requests in flight for its weight. Round
// robin decides between equal ones, as in nginx's least_conn.
func (r roundRobin) leastConn(conns []int, may func(int) bool) (int, bool) {
	best := -1
	for i := range r {
		if may(i) && (best < 0 || conns[i]*r[best].weight < conns[best]*r[i].weight) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	return r.next(func(i int) bool { return may(i) && conns[i]*r[best].weight == conns[best]*r[i].weight })
}
