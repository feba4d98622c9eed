package monitor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A SelfCheck tells whether this machine lets stickwatch probe at all. It looks for
// itself, every second and whenever somebody does not answer: whether there are
// descriptors, and a way to everybody who is probed. It takes what probes met of its
// own making, and that all clusters fall silent at one time.
//
// What was probed meanwhile says nothing of whom it was meant for.
type SelfCheck struct {
	mu     sync.Mutex
	reason checks.Message      // the newest evidence
	began  time.Time           // when the newest impairment did; zero: there was none
	last   time.Time           // when there was evidence last
	routes map[netip.Addr]bool // whether there was a way to a host
	sights map[*Watcher]*sight
}

// A sight is who of a cluster answers.
type sight struct {
	answered bool      // somebody has, some time
	silent   time.Time // since when nobody has; zero: somebody does
	hosts    []netip.Addr
}

// An Impairment is a time in which stickwatch itself could not probe.
type Impairment struct {
	Since  time.Time      // zero: there is none
	Reason checks.Message // why
}

// Bounds of a SelfCheck.
const (
	lookEvery    = time.Second
	believeAfter = 5 * time.Second  // of evidence, before an impairment is notified
	overAfter    = 10 * time.Second // without evidence
	atOneTime    = 30 * time.Second // within which clusters fall silent that do so for one reason
	mostRoutes   = 64               // looked at each time
	clockJump    = 2 * time.Second
)

// NewSelfCheck returns a SelfCheck that has seen nothing yet.
func NewSelfCheck() *SelfCheck {
	return &SelfCheck{
		routes: map[netip.Addr]bool{netip.AddrFrom4([4]byte{127, 0, 0, 1}): false},
		sights: make(map[*Watcher]*sight),
	}
}

// Run looks every second until ctx ends, and tells of each beginning and end of an
// impairment.
func (s *SelfCheck) Run(ctx context.Context, tell func(Impairment)) {
	clock := time.NewTicker(lookEvery)
	defer clock.Stop()
	var observer Impairment
	before := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		now := time.Now()
		if jump := jumped(before.Round(0), now.Round(0), now.Sub(before)); jump.Abs() > clockJump {
			s.note(now, checks.ClockJumped(jump))
		}
		before = now
		s.look()
		if is := s.impairment(time.Now()); is.Since != observer.Since {
			observer = is
			tell(is)
		}
	}
}

// jumped is by how much the wall clock has gone further than time has.
func jumped(from, to time.Time, elapsed time.Duration) time.Duration { return to.Sub(from) - elapsed }

// impairment is the one that is believed at a moment.
func (s *SelfCheck) impairment(at time.Time) Impairment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() || at.Sub(s.last) >= overAfter || s.last.Sub(s.began) < believeAfter {
		return Impairment{}
	}
	return Impairment{Since: s.began, Reason: s.reason}
}

// since returns why something that began at a moment may not have been probed, and
// for how long that has been so; ok is false where there is no evidence of that.
func (s *SelfCheck) since(began time.Time) (why checks.Message, lasted time.Duration, ok bool) {
	if s == nil {
		return why, 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason, s.last.Sub(s.began), !s.last.IsZero() && !s.last.Before(began)
}

// note takes in evidence. That nobody answers is no better reason than the one that
// is known.
func (s *SelfCheck) note(at time.Time, reason checks.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() || at.Sub(s.last) >= overAfter {
		s.began, s.reason = at, reason
	}
	if s.last = at; reason.ID != checks.MsgNobodyAnswers {
		s.reason = reason
	}
}

// forget drops what a watcher has seen.
func (s *SelfCheck) forget(w *Watcher) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sights, w)
}

// heed takes in what a watcher's probes met that began at a moment.
func (s *SelfCheck) heed(w *Watcher, began time.Time, met []probes.Exchange) {
	if s == nil {
		return
	}
	own, answered, silent := "", false, false
	var hosts []netip.Addr
	for _, ex := range met {
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
		if host := ex.Address.Addr().Unmap(); host.IsValid() && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
			s.know(host, reached)
		}
	}
	s.see(w, began, answered, silent, hosts)
	switch {
	case own != "":
		s.note(time.Now(), checks.CannotConnect(own))
	case silent:
		s.look()
	}
}

// know takes in that there is a host, and that there is a way to it if it was reached.
func (s *SelfCheck) know(host netip.Addr, reached bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[host] = s.routes[host] || reached
}

// see notes who answers, and that all clusters have fallen silent at one time.
func (s *SelfCheck) see(w *Watcher, began time.Time, answered, silent bool, hosts []netip.Addr) {
	s.mu.Lock()
	one := s.sights[w]
	if one == nil {
		one = new(sight)
		s.sights[w] = one
	}
	for _, host := range hosts {
		if !slices.Contains(one.hosts, host) {
			one.hosts = append(one.hosts, host)
		}
	}
	switch {
	case answered:
		one.answered, one.silent = true, time.Time{}
	case silent && one.silent.IsZero():
		one.silent = began
	}
	clusters, all := s.silent()
	s.mu.Unlock()
	if all {
		s.note(time.Now(), checks.NobodyAnswers(clusters))
	}
}

// silent reports whether all clusters that ever answered, at several machines, have
// fallen silent at one time, and how many they are. Machines of loopback need no
// network.
func (s *SelfCheck) silent() (clusters int, all bool) {
	var first, last time.Time
	machines := make(map[netip.Addr]bool)
	for _, one := range s.sights {
		remote := slices.DeleteFunc(slices.Clone(one.hosts), netip.Addr.IsLoopback)
		if !one.answered || len(remote) == 0 {
			continue
		}
		if one.silent.IsZero() {
			return 0, false
		}
		for _, host := range remote {
			machines[host] = true
		}
		if clusters++; clusters == 1 || one.silent.Before(first) {
			first = one.silent
		}
		if one.silent.After(last) {
			last = one.silent
		}
	}
	return clusters, clusters > 1 && len(machines) > 1 && last.Sub(first) <= atOneTime
}

// look finds out whether there are descriptors, and a way to those who are probed to
// whom there was one: connecting a socket of UDP sends nothing.
func (s *SelfCheck) look() {
	s.mu.Lock()
	hosts := make([]netip.Addr, 0, mostRoutes)
	for host := range s.routes { // in another order each time
		if len(hosts) < mostRoutes {
			hosts = append(hosts, host)
		}
	}
	s.mu.Unlock()
	links, err := linksByAddress()
	if err != nil {
		s.note(time.Now(), checks.CannotConnect(err.Error()))
		return
	}
	for _, host := range hosts {
		err := wayTo(host, links)
		s.mu.Lock()
		had, known := s.routes[host]
		if known && err == nil {
			s.routes[host] = true
		}
		s.mu.Unlock()
		if err != nil && (had || probes.IsLocalError(err)) {
			s.note(time.Now(), checks.NoRoute(host.String(), err.Error()))
			return
		}
	}
}

// linksByAddress are the network interfaces by the addresses that they have.
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
			continue // it is gone by now
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				links[prefix.Addr().Unmap()] = link
			}
		}
	}
	return links, nil
}

// wayTo tells why there is no way to a host; nil: there is one, as far as this
// machine knows. A route may lead to an interface that nothing is connected to.
func wayTo(host netip.Addr, links map[netip.Addr]net.Interface) error {
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
