package monitor

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// A SelfCheck detects that this machine cannot probe at all. Every second, and when a target
// does not answer, it checks for free file descriptors and for a route to every probed host.
// It also evaluates local errors of probes, clock jumps, and whether all clusters become
// silent at the same time.
//
// Results of probes during an impairment prove nothing about their targets.
type SelfCheck struct {
	wall  func() time.Time                                     // the wall clock, without its monotonic part
	route func(netip.Addr, map[netip.Addr]net.Interface) error // checkRoute

	mu        sync.Mutex
	reason    checks.Message        // of the newest sign of an impairment
	began     time.Time             // start of the newest impairment; zero: none
	last      time.Time             // time of the newest sign
	reachable map[any]*reachability // by watcher, or by cluster outside of a daemon
}

// A reachability is whether the hosts of a cluster answer.
type reachability struct {
	answered bool                // a host has answered at least once
	silent   time.Time           // since when no host answers; zero: a host answers
	hosts    map[netip.Addr]bool // whether there has been a route to it
}

// An Impairment is a period in which stickwatch itself could not probe.
type Impairment struct {
	Since  time.Time // zero: none
	Reason checks.Message
}

// Parameters of a SelfCheck.
const (
	checkInterval     = time.Second
	confirmAfter      = 5 * time.Second  // how long there are signs before an impairment is reported
	clearAfter        = 10 * time.Second // without signs, an impairment ends
	commonCauseWindow = 30 * time.Second // within which clusters become silent for a common reason
	maxRoutes         = 64               // checked each time
	clockJump         = 2 * time.Second
)

// NewSelfCheck returns a SelfCheck without signs of an impairment.
func NewSelfCheck() *SelfCheck {
	return &SelfCheck{
		wall:      func() time.Time { return time.Now().Round(0) },
		route:     checkRoute,
		reachable: make(map[any]*reachability),
	}
}

// Run checks every second until ctx ends. It calls notify at the start and at the end of each
// impairment.
func (s *SelfCheck) Run(ctx context.Context, notify func(Impairment)) {
	var observer Impairment
	before, shown := time.Now(), s.wall()
	for range sleep.Every(ctx, checkInterval) {
		now, shows := time.Now(), s.wall()
		if jump := clockJumpOf(shown, shows, now.Sub(before)); jump.Abs() > clockJump {
			s.addSign(now, checks.ClockJumped(jump))
		}
		before, shown = now, shows
		s.checkRoutes()
		if is := s.impairment(time.Now()); is.Since != observer.Since {
			observer = is
			notify(is)
		}
	}
}

// clockJumpOf returns how far the wall clock has moved beyond the elapsed time.
func clockJumpOf(from, to time.Time, elapsed time.Duration) time.Duration {
	return to.Sub(from) - elapsed
}

// impairment returns the confirmed impairment at a moment.
func (s *SelfCheck) impairment(at time.Time) Impairment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() || at.Sub(s.last) >= clearAfter || s.last.Sub(s.began) < confirmAfter {
		return Impairment{}
	}
	return Impairment{Since: s.began, Reason: s.reason}
}

// since returns why probes since a moment are not reliable, and how long the impairment has
// lasted. ok is false if there is no sign of one since then.
func (s *SelfCheck) since(began time.Time) (why checks.Message, lasted time.Duration, ok bool) {
	if s == nil {
		return why, 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason, s.last.Sub(s.began), !s.last.IsZero() && !s.last.Before(began)
}

// Doubt returns why the result of a probe since a moment proves nothing about its target. own
// is its local error; "": none. ok is false if there is no reason.
func (s *SelfCheck) Doubt(began time.Time, own string) (why checks.Message, ok bool) {
	if s == nil {
		return why, false
	}
	if own != "" {
		s.addSign(time.Now(), checks.CannotConnect(own))
	}
	why, _, ok = s.since(began)
	return why, ok
}

// addSign records a sign of an impairment at a moment. Silent clusters do not replace a more specific
// reason.
func (s *SelfCheck) addSign(at time.Time, reason checks.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() || at.Sub(s.last) >= clearAfter {
		s.began, s.reason = at, reason
	}
	if s.last = at; reason.ID != checks.MsgNobodyAnswers {
		s.reason = reason
	}
}

// forget removes a watcher.
func (s *SelfCheck) forget(w *Watcher) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reachable, w)
}

// forgetHosts removes the hosts of a watcher whose cluster has other nodes now. There may soon be
// no route to one that is gone, which is no impairment.
func (s *SelfCheck) forgetHosts(w *Watcher) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if reach := s.reachable[w]; reach != nil {
		clear(reach.hosts)
	}
}

// observe evaluates the exchanges of probes of a watcher, or of a cluster, that began at a
// moment.
func (s *SelfCheck) observe(w any, began time.Time, exchanges iter.Seq[probes.Exchange]) {
	if s == nil {
		return
	}
	own, answered, silent := "", false, false
	hosts := make(map[netip.Addr]bool)
	for ex := range exchanges {
		reached := false
		switch ex.Failure {
		case probes.FailureCancelled:
			continue
		case probes.FailureProber:
			own, silent = ex.Error, true
		case probes.FailureTimeout, probes.FailureUnreachable, probes.FailureDNS:
			silent = true
		default:
			reached = !ex.At.IsZero()
			answered = answered || reached
		}
		if host := ex.Address.Addr().Unmap(); host.IsValid() {
			hosts[host] = hosts[host] || reached
		}
	}
	s.recordAnswers(w, began, answered, silent, hosts)
	switch {
	case own != "":
		s.addSign(time.Now(), checks.CannotConnect(own))
	case silent:
		s.checkRoutes()
	}
}

// recordAnswers records whether the hosts of a cluster answer, and adds a sign if all
// clusters are silent.
func (s *SelfCheck) recordAnswers(w any, began time.Time, answered, silent bool, hosts map[netip.Addr]bool) {
	s.mu.Lock()
	reach := s.reachable[w]
	if reach == nil {
		reach = &reachability{hosts: make(map[netip.Addr]bool)}
		s.reachable[w] = reach
	}
	for host, reached := range hosts {
		reach.hosts[host] = reach.hosts[host] || reached
	}
	switch {
	case answered:
		reach.answered, reach.silent = true, time.Time{}
	case silent && reach.silent.IsZero():
		reach.silent = began
	}
	clusters, all := 0, false
	if !reach.silent.IsZero() { // otherwise this one answers
		clusters, all = s.allSilent()
	}
	s.mu.Unlock()
	if all {
		s.addSign(time.Now(), checks.NobodyAnswers(clusters))
	}
}

// allSilent reports whether all clusters that have ever answered became silent at about the
// same time, and returns their number. It requires several clusters on several machines.
// Loopback hosts do not count because they need no network.
func (s *SelfCheck) allSilent() (clusters int, all bool) {
	var first, last time.Time
	machines := make(map[netip.Addr]bool)
	for _, reach := range s.reachable {
		remote := slices.DeleteFunc(slices.Collect(maps.Keys(reach.hosts)), netip.Addr.IsLoopback)
		if !reach.answered || len(remote) == 0 {
			continue
		}
		if reach.silent.IsZero() {
			return 0, false
		}
		for _, host := range remote {
			machines[host] = true
		}
		if clusters++; clusters == 1 || reach.silent.Before(first) {
			first = reach.silent
		}
		if reach.silent.After(last) {
			last = reach.silent
		}
	}
	return clusters, clusters > 1 && len(machines) > 1 && last.Sub(first) <= commonCauseWindow
}

// checkRoutes checks for free file descriptors, and for routes to hosts that had one.
// Connecting a UDP socket sends no packet.
func (s *SelfCheck) checkRoutes() {
	hosts := s.probedHosts()
	links, err := linksByAddress()
	if err != nil {
		s.addSign(time.Now(), checks.CannotConnect(err.Error()))
		return
	}
	checked := 0
	for host, had := range hosts { // random order, so that all hosts get their turn
		if checked++; checked > maxRoutes {
			return
		}
		err := s.route(host, links)
		if err != nil && (had || probes.IsLocalError(err)) {
			s.addSign(time.Now(), checks.NoRoute(host.String(), err.Error()))
			return
		}
		if err == nil && !had {
			s.addRoute(host)
		}
	}
}

// probedHosts returns the hosts of all clusters and whether there has been a route to each. This
// machine itself is among them, for its free descriptors.
func (s *SelfCheck) probedHosts() map[netip.Addr]bool {
	hosts := map[netip.Addr]bool{netip.AddrFrom4([4]byte{127, 0, 0, 1}): false}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reach := range s.reachable {
		for host, had := range reach.hosts {
			hosts[host] = hosts[host] || had
		}
	}
	return hosts
}

// addRoute records that there is a route to a host.
func (s *SelfCheck) addRoute(host netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reach := range s.reachable {
		if _, ok := reach.hosts[host]; ok {
			reach.hosts[host] = true
		}
	}
}

// linksByAddress returns the network interfaces by their addresses.
func linksByAddress() (map[netip.Addr]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	links := make(map[netip.Addr]net.Interface)
	for _, link := range all {
		addresses, err := link.Addrs()
		if err != nil {
			if probes.IsLocalError(err) {
				return nil, err
			}
			continue // the interface was removed
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				links[prefix.Addr().Unmap()] = link
			}
		}
	}
	return links, nil
}

// checkRoute returns why this machine has no route to a host, or nil. A route may lead to an
// interface without a link.
func checkRoute(host netip.Addr, links map[netip.Addr]net.Interface) error {
	const discard = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, discard)))
	if err != nil {
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			return errno
		}
		return err
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil
	}
	link, ok := links[local.AddrPort().Addr().Unmap().WithZone("")]
	if ok && link.Flags&net.FlagLoopback == 0 && link.Flags&(net.FlagUp|net.FlagRunning) != net.FlagUp|net.FlagRunning {
		return errors.New("the network interface " + link.Name + " is down")
	}
	return nil
}

// exchanges returns the results of the round or follow-up that is running.
func (w *Watcher) exchanges(r checks.Round) iter.Seq[probes.Exchange] {
	r.Traces = slices.Concat(r.Traces, w.canaryPool.traces())
	return exchangesOf(r, w.began)
}

// exchangesOf returns the results of a round since a moment. Others are of earlier rounds.
func exchangesOf(round checks.Round, since time.Time) iter.Seq[probes.Exchange] {
	return func(yield func(probes.Exchange) bool) {
		more := true
		add := func(exchanges ...probes.Exchange) {
			for _, ex := range exchanges {
				more = more && (ex.At.Before(since) || yield(ex))
			}
		}
		for _, o := range round.Nodes {
			add(o.Primary)
			add(o.Pages...)
			if o.Session != nil {
				add(*o.Session)
			}
		}
		for _, c := range round.FailoverChecks {
			add(c.There)
		}
		for _, c := range round.AddressChecks {
			add(c.There)
		}
		for _, c := range round.OwnerChecks {
			add(c.There, c.Again)
		}
		for _, b := range round.Balancers {
			add(b.Primary)
			add(b.Pages...)
		}
		for _, trace := range round.Traces {
			for _, step := range trace.Steps {
				add(step.Exchange)
			}
		}
		for _, d := range round.Dependencies {
			if d.LocalError {
				add(probes.Exchange{At: since, Failure: probes.FailureProber, Error: d.Error})
			}
		}
	}
}

// selfCheckFailed reports whether there is evidence that stickwatch itself could not probe since the
// current round or follow-up began.
func (w *Watcher) selfCheckFailed() bool {
	_, _, ok := w.prober.Self.since(w.began)
	return ok
}

// discardIfImpaired reports whether stickwatch itself could not probe at any time since the current
// round or follow-up began. In that case it discards the failed requests of canaries, and the cluster is
// not judged: active findings stay active, no finding is added, and nothing is recorded.
func (w *Watcher) discardIfImpaired() bool {
	why, lasted, ok := w.prober.Self.since(w.began)
	if !ok {
		return false
	}
	w.canaryPool.disregard(w.began, lasted, w.cluster.SessionTimeout())
	if w.suspended {
		return true
	}
	w.suspended = true
	p := *w.snapshot.Load()
	p.Report.Verdict, p.Report.Doubts, p.Report.Requests, p.Since = checks.Inconclusive, []checks.Message{why}, nil, time.Now()
	w.snapshot.Store(&p)
	w.observer.Judged(RoundResult{Snapshot: p, Observed: w.last, Canaries: w.canaryPool.exportedCanaries()})
	return true
}
