package demo

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// balancerMethods are those a Balancer knows.
var balancerMethods = []probes.Method{
	probes.MethodIPHash, probes.MethodHash, probes.MethodCookie, probes.MethodRoundRobin, probes.MethodRandom,
}

// A worker is one of the balancer's processes: it chooses servers, and knows
// of their failures only what it has seen itself.
type worker struct {
	number  int // from 1
	servers []balance.Server
	ipHash  balance.Picker
	hash    balance.Picker

	mu     sync.Mutex
	peers  *peers
	wheel  wheel
	random *rand.Rand
}

func newWorker(c BalancerConfig, number int) *worker {
	weights := make([]int, len(c.Servers))
	for i, s := range c.Servers {
		weights[i] = max(s.Weight, 1)
	}
	return &worker{
		number:  number,
		servers: c.Servers,
		ipHash:  balance.IPHash(c.Servers),
		hash:    balance.Hash(c.Servers),
		peers:   newPeers(len(c.Servers), c.MaxFails, c.FailTimeout),
		wheel:   newWheel(weights),
		random:  rand.New(rand.NewPCG(c.Seed, uint64(number))),
	}
}

// A choice is what a worker chooses a server by.
type choice struct {
	method probes.Method
	client string // address
	server string // that the client's cookie names; "": none
	tried  []int
	faults BalancerFaults
}

// choose returns the server that gets a request and notes that it does. It is
// not ok when no server is left.
func (w *worker) choose(c choice, now time.Time) (server int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	without := w.without(c, now)
	switch c.method {
	case probes.MethodIPHash:
		server, ok = w.ipHash.Pick(c.client, without...)
	case probes.MethodHash:
		server, ok = w.hash.Pick(c.client, without...)
	case probes.MethodCookie:
		server, ok = w.named(c.server, without)
	case probes.MethodRandom:
		server, ok = w.draw(without)
	}
	if !ok {
		server, ok = w.roundRobin(without)
	}
	if ok {
		w.peers.selected(server, now)
	}
	return server, ok
}

// without lists the servers that are passed over.
func (w *worker) without(c choice, now time.Time) []int {
	var list []int
	blind := c.faults.OnlyWorker != 0 && c.faults.OnlyWorker != w.number
	for i, s := range w.servers {
		held := !blind && slices.Contains(c.faults.Ejected, s.Name)
		if s.Down || held || slices.Contains(c.tried, i) || w.peers.ejected(i, now) {
			list = append(list, i)
		}
	}
	return list
}

// named returns the server that a cookie asks for.
func (w *worker) named(name string, without []int) (int, bool) {
	i := slices.IndexFunc(w.servers, func(s balance.Server) bool { return s.Name == name })
	return i, i >= 0 && !slices.Contains(without, i)
}

// draw returns a server by chance and weight.
func (w *worker) draw(without []int) (int, bool) {
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

// roundRobin is the method of that name, and what all others come to when they
// find nobody. Backups have their turn when no other server is left.
func (w *worker) roundRobin(without []int) (int, bool) {
	for _, backup := range [...]bool{false, true} {
		server, ok := w.wheel.next(func(i int) bool {
			return w.servers[i].Backup == backup && !slices.Contains(without, i)
		})
		if ok {
			return server, true
		}
	}
	return 0, false
}

// failed notes that a server did not answer.
func (w *worker) failed(server int, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers.failed(server, now)
	w.wheel.failed(server, w.peers.maxFails)
}

// finished notes that a request ended otherwise.
func (w *worker) finished(server int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers.finished(server)
}
