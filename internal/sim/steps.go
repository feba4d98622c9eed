package sim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// restart stops a node at some time of an operation, and starts it again later.
func restart(node string, at, later time.Duration) []step {
	return []step{
		{at, "stop " + node, func(e *environment) error { return e.cluster.StopNode(node) }},
		{later, "start " + node, func(e *environment) error { return e.cluster.StartNode(node) }},
	}
}

// outage stops the nodes and starts them again.
func outage(o Operation, _ Setup) (list []step) {
	for _, node := range o.Nodes {
		list = append(list, restart(node, 0, o.For)...)
	}
	return list
}

// rolling restarts one node after the other, with three seconds from a start to the
// next stop.
func rolling(o Operation, _ Setup) (list []step) {
	at := time.Duration(0)
	for _, node := range o.Nodes {
		list = append(list, restart(node, at, at+o.For)...)
		at += o.For + 3*time.Second
	}
	return list
}

// deploy is an announced rolling restart.
func deploy(o Operation, s Setup) []step { return announced(o, rolling(o, s)) }

// deployBlueGreen is an announced blue/green switch that is reverted.
func deployBlueGreen(o Operation, s Setup) []step { return announced(o, blueGreen(o, s)) }

// announced returns steps with their announcement a second earlier, and its end a second
// after the last one.
func announced(o Operation, steps []step) (list []step) {
	name := "deployment at " + o.At.String()
	announce := func(over bool) func(*environment) error {
		return func(e *environment) error { e.instance.announce(name, over); return nil }
	}
	list = append(list, step{0, "announce a deployment", announce(false)})
	end := time.Duration(0)
	for _, st := range steps {
		st.after += time.Second
		end = st.after + time.Second
		list = append(list, st)
	}
	return append(list, step{end, "announce its end", announce(true)})
}

// staggered stops one node after the other, so that their outages overlap.
func staggered(o Operation, _ Setup) (list []step) {
	for i, node := range o.Nodes {
		at := time.Duration(i) * o.For / 3
		list = append(list, restart(node, at, at+o.For)...)
	}
	return list
}

// flap stops and starts a node every ten seconds.
func flap(o Operation, _ Setup) (list []step) {
	for at := time.Duration(0); at+5*time.Second <= o.For; at += 10 * time.Second {
		list = append(list, restart(o.Nodes[0], at, at+5*time.Second)...)
	}
	return list
}

// partition disconnects a node's machine from the network. Its process has restarted
// when it is connected again.
func partition(o Operation, _ Setup) (list []step) {
	for _, node := range o.Nodes {
		set := func(silent bool) func(*environment) error {
			return func(e *environment) error {
				n, err := e.cluster.Node(node)
				if err != nil {
					return err
				}
				e.network.SetPartitioned(n.Addr(), silent)
				if silent {
					n.Kill()
					return nil
				}
				return n.Start()
			}
		}
		list = append(list, step{0, "take the machine of " + node + " off", set(true)}, step{o.For, "bring the machine of " + node + " back", set(false)})
	}
	return list
}

func balancerDown(o Operation, _ Setup) []step {
	return []step{
		{0, "stop the balancer", func(e *environment) error { e.cluster.Balancer.Stop(); return nil }},
		{o.For, "start the balancer", func(e *environment) error { return e.cluster.Balancer.Start() }},
	}
}

// singleStep returns an operation of one step.
func singleStep(what string, do func(*environment) error) func(Operation, Setup) []step {
	return func(Operation, Setup) []step { return []step{{0, what, do}} }
}

// withUndo returns an operation that changes a node, or none, and reverts the change.
func withUndo(do, undo func(*environment, string) error) func(Operation, Setup) []step {
	return func(o Operation, _ Setup) []step {
		node := ""
		if len(o.Nodes) > 0 {
			node = o.Nodes[0]
		}
		return []step{
			{0, o.Kind + " " + node, func(e *environment) error { return do(e, node) }},
			{o.For, "undo " + o.Kind + " " + node, func(e *environment) error { return undo(e, node) }},
		}
	}
}

// removeServer removes a node from the balancer's list, unless it is not listed or
// fewer than two nodes would remain.
func (e *environment) removeServer(node string) error {
	if n, err := e.cluster.Node(node); err != nil || !e.listed(n) || len(e.cluster.Balancer.Servers()) <= 2 {
		return err
	}
	return e.cluster.RemoveServer(node)
}

// addServer adds a node to the balancer's list, unless it is listed, or the list has new
// nodes only.
func (e *environment) addServer(node string) error {
	if n, err := e.cluster.Node(node); err != nil || e.listed(n) || e.switched {
		return err
	}
	return e.cluster.AddServer(node)
}

func (e *environment) listed(n *demo.Node) bool {
	return slices.ContainsFunc(e.cluster.Balancer.Servers(), func(s balance.Server) bool { return s.Name == n.Addr() })
}

// scaleOut adds a node that is not in stickwatch's configuration, and removes it again.
func scaleOut(o Operation, _ Setup) []step {
	var added *demo.Node
	return []step{
		{0, "add a node", func(e *environment) (err error) { added, err = e.cluster.ScaleOut(); return err }},
		{o.For, "take the added node away", func(e *environment) error {
			if e.listed(added) { // another operation may have replaced the whole list
				if err := e.cluster.RemoveServer(added.ID()); err != nil {
					return err
				}
			}
			return e.cluster.StopNode(added.ID())
		}},
	}
}

// blueGreen replaces the balancer's whole list by new nodes, which are not in
// stickwatch's configuration, and goes back later. It does nothing while another one has
// replaced the list.
func blueGreen(o Operation, s Setup) []step {
	var started []string
	return []step{
		{0, "switch to new nodes", func(e *environment) (err error) {
			if e.switched {
				return nil
			}
			e.switched = true
			started, err = e.cluster.Switch()
			return err
		}},
		{o.For, "switch back", func(e *environment) error {
			if started == nil {
				return nil
			}
			var before []balance.Server
			for _, n := range e.cluster.Nodes[:s.Nodes] {
				before = append(before, balance.Server{Name: n.Addr(), Weight: 1})
			}
			errs := []error{e.cluster.Balancer.Reload(before)}
			for _, node := range started {
				errs = append(errs, e.cluster.StopNode(node))
			}
			e.switched = false
			return errors.Join(errs...)
		}},
	}
}

// expiry makes nodes, or the balancer if there is none, present a certificate that has
// expired.
func expiry(o Operation, _ Setup) []step {
	set := func(config func(*environment) *tls.Config) func(*environment) error {
		return func(e *environment) error {
			if len(o.Nodes) == 0 {
				e.network.SetTLS(e.cluster.Balancer.Addr(), config(e))
			}
			for _, node := range o.Nodes {
				n, err := e.cluster.Node(node)
				if err != nil {
					return err
				}
				e.network.SetTLS(n.Addr(), config(e))
			}
			return nil
		}
	}
	return []step{
		{0, "present an expired certificate", set(func(e *environment) *tls.Config { return e.expired })},
		{o.For, "present a valid certificate", set(func(e *environment) *tls.Config { return e.valid })},
	}
}

// reverse reverses the order of the balancer's list.
func reverse(e *environment, _ string) error { return e.cluster.ReverseServers() }

// serverState sets the state of a listed server.
func serverState(s demo.ServerState) func(*environment, string) error {
	return func(e *environment, node string) error {
		if n, err := e.cluster.Node(node); err != nil || !e.listed(n) {
			return err
		}
		return e.cluster.SetServerState(node, s)
	}
}

// fault changes the faults of nodes for the duration of the operation.
func fault(change func(f *demo.NodeFaults, on bool)) func(Operation, Setup) []step {
	return func(o Operation, _ Setup) (list []step) {
		for _, node := range o.Nodes {
			set := func(on bool) func(*environment) error {
				return func(e *environment) error {
					n, err := e.cluster.Node(node)
					if err == nil {
						n.Change(func(f *demo.NodeFaults) { change(f, on) })
					}
					return err
				}
			}
			list = append(list, step{0, o.Kind + " " + node, set(true)}, step{o.For, "heal " + node, set(false)})
		}
		return list
	}
}

// failPage makes the session page of a node answer with errors.
func failPage(o Operation, s Setup) []step {
	return fault(func(f *demo.NodeFaults, on bool) { f.Failing = valueIf(on, s.page().Path) })(o, s)
}

// scatter switches the balancer to round robin.
func scatter(o Operation, _ Setup) []step {
	return []step{
		{0, "scatter clients", changeBalancer(func(f *demo.BalancerFaults) { f.Method = probes.MethodRoundRobin })},
		{o.For, "stop scattering", changeBalancer(func(f *demo.BalancerFaults) { f.Method = "" })},
	}
}

// cache adds a cache that gives one session to all clients without a cookie.
func cache(o Operation, _ Setup) []step {
	shared := demo.CacheConfig{TTL: 20 * time.Second, IgnoreCacheControl: true, IgnoreSetCookie: true, OnlyWithoutCookie: true}
	return []step{
		{0, "cache answers with cookies", changeBalancer(func(f *demo.BalancerFaults) { f.Cache = shared })},
		{o.For, "cache nothing", changeBalancer(func(f *demo.BalancerFaults) { f.Cache = demo.CacheConfig{} })},
	}
}

func changeBalancer(change func(*demo.BalancerFaults)) func(*environment) error {
	return func(e *environment) error {
		e.cluster.Balancer.Change(change)
		return nil
	}
}

func storeDown(o Operation, _ Setup) []step {
	return []step{
		{0, "stop the session store", func(e *environment) error { e.sessions.set(true); e.cluster.Redis.Stop(); return nil }},
		{o.For, "start the session store", func(e *environment) error {
			e.sessions.set(false)
			return e.cluster.Redis.Start()
		}},
	}
}

// storeFailover stops the session store and starts a replica that has no session.
func storeFailover(o Operation, s Setup) []step {
	return append(storeDown(o, s), step{o.For, "the replica is empty", func(e *environment) error { e.sessions.flush(); return nil }})
}

// packetLoss makes a twentieth of all connects lose packets.
func packetLoss(o Operation, _ Setup) []step {
	set := func(share float64) func(*environment) error {
		return func(e *environment) error { e.network.Lose(share); return nil }
	}
	return []step{{0, "lose packets", set(0.05)}, {o.For, "lose no more packets", set(0)}}
}

// starveProber delays all jobs of the monitor.
func starveProber(o Operation, _ Setup) []step {
	return []step{{0, "keep the prober busy", func(e *environment) error { e.instance.delay(time.Now().Add(o.For)); return nil }}}
}

// plan returns every step of a schedule, sorted by time.
func (s Schedule) plan() ([]planned, error) {
	var list []planned
	for _, o := range s.Operations {
		k, ok := operationKindOf(o.Kind)
		if !ok {
			return nil, fmt.Errorf("planning %q: there is no such kind of operation", o)
		}
		for _, st := range k.steps(o, s.Setup) {
			list = append(list, planned{at: o.At + st.after, step: st})
		}
	}
	slices.SortStableFunc(list, func(a, b planned) int { return int(a.at - b.at) })
	return list, nil
}

// planned is a step with its offset from the beginning of the simulation.
type planned struct {
	at time.Duration
	step
}
