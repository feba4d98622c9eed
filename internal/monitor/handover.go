package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file hands the canaries of a cluster over to the watcher of another process, so that sessions
// that are lost meanwhile are noticed.

// A canaryUse is what the pool uses a canary for.
type canaryUse string

// The uses.
const (
	usedForNode canaryUse = "node"
	usedIdle    canaryUse = "idle"
	usedReserve canaryUse = "reserve"
)

// A handedOver is a canary and its place in the pool, in the form in which another process continues it.
type handedOver struct {
	Use      canaryUse
	Balancer netip.AddrPort // the slot
	Node     string
	Idle     time.Duration // pause between two requests of an idle canary
	Index    int           // in the list of pauses
	State    json.RawMessage
}

// A heldCanary is a canary of the pool that another process can continue.
type heldCanary struct {
	canary *probes.Canary
	place  handedOver // without its state
}

// held returns the canaries that another process can continue.
func (p *canaryPool) held(c *probes.Cluster) (list []heldCanary) {
	add := func(canary *pooledCanary, place handedOver) {
		if mayContinue(c, canary.Canary) {
			place.Balancer, place.Node = canary.slot.balancer, canary.slot.node
			list = append(list, heldCanary{canary.Canary, place})
		}
	}
	for _, canary := range p.canaries {
		add(canary, handedOver{Use: usedForNode})
	}
	for _, c := range p.idle {
		add(c.pooledCanary, handedOver{Use: usedIdle, Idle: c.idleTime, Index: c.index})
	}
	for _, canary := range p.reserve {
		add(canary, handedOver{Use: usedReserve})
	}
	return list
}

// mayContinue reports whether another process may continue a canary. Where the account has one session
// at a time, it does not know that, and its first login would end the session that it continues.
func mayContinue(c *probes.Cluster, canary *probes.Canary) bool {
	return !c.LoginStatus().Single && !dependsOnAddress(c, canary.Trace().Client)
}

// dependsOnAddress reports whether the balancer may send a client with a session to another node when
// its requests come from another machine. A client that presents a key is recognised by that.
func dependsOnAddress(c *probes.Cluster, key string) bool {
	if key != "" || c.Session == nil || c.Session.Policy == probes.PolicyShared {
		return false
	}
	return c.Balancer.Method != probes.MethodCookie && !c.Balancer.HashesCookie()
}

// Canaries returns the canaries with their sessions, for Continue; nil: there are none that another
// process can continue. They contain cookies, which are credentials: they must be encrypted before they
// leave the process.
func (w *Watcher) Canaries() []byte {
	var list []handedOver
	for _, h := range w.heldCanaries() {
		if h.place.State = h.canary.State(); h.place.State != nil {
			list = append(list, h.place)
		}
	}
	if len(list) == 0 {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return text
}

// A CanaryVersion is another one when Canaries has other sessions.
type CanaryVersion struct {
	newest int64 // revision
	number int
}

// CanaryVersion returns that of the canaries.
func (w *Watcher) CanaryVersion() (v CanaryVersion) {
	list := w.heldCanaries()
	for _, h := range list {
		v.newest = max(v.newest, h.canary.Revision())
	}
	v.number = len(list)
	return v
}

func (w *Watcher) heldCanaries() []heldCanary {
	if list := w.held.Load(); list != nil {
		return *list
	}
	return nil
}

// publishCanaries makes the canaries of the pool those that Canaries returns.
func (w *Watcher) publishCanaries() {
	list := w.canaryPool.held(w.cluster)
	w.held.Store(&list)
}

// HandOver is Retire for a watcher whose canaries another one continues: Close logs out the others only.
func (w *Watcher) HandOver() {
	w.handedOver.Store(true)
	w.Retire()
}

// TakeBack ends HandOver, because no other process has received the canaries.
func (w *Watcher) TakeBack() { w.handedOver.Store(false) }

// isHandedOver reports whether another process may have continued a canary.
func (w *Watcher) isHandedOver(c *probes.Canary) bool {
	return w.handedOver.Load() && mayContinue(w.cluster, c)
}

// Continue continues the canaries that a watcher of another process returned at a moment, by the clock
// of this one. Those that paused for so long that their session may have timed out are dropped, and log
// out in the first round. Call it before any other method.
func (w *Watcher) Continue(canaries []byte, taken time.Time) error {
	var list []handedOver
	if err := json.Unmarshal(canaries, &list); err != nil {
		return fmt.Errorf("decoding canaries: %w", err)
	}
	var errs []error
	pool := &w.canaryPool
	for _, h := range list {
		canary, err := probes.ContinueCanary(w.cluster, h.State, taken)
		if err != nil && !errors.Is(err, probes.ErrSpent) {
			errs = append(errs, err)
			continue
		}
		listed := slices.ContainsFunc(w.cluster.Nodes, func(n probes.Node) bool { return n.ID == h.Node })
		c := &pooledCanary{Canary: canary, slot: slot{h.Balancer, h.Node}}
		if err != nil || !listed || c.pause() > w.cluster.SessionTimeout()/2+h.Idle/2 || !mayContinue(w.cluster, canary) {
			w.leaving = append(w.leaving, canary)
			continue
		}
		w.prober.skipCounterBase(canary.Trace().Base)
		switch h.Use {
		case usedForNode:
			pool.canaries = append(pool.canaries, c)
		case usedIdle:
			pool.idle = append(pool.idle, &idleCanary{pooledCanary: c, idleTime: h.Idle, index: h.Index, last: canary.First().At})
		case usedReserve:
			pool.reserve = append(pool.reserve, c)
		}
	}
	pool.adopt(w.cluster)
	w.publishCanaries()
	return errors.Join(errs...)
}
