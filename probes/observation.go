package probes

import (
	"net/netip"
	"time"
)

// A NodeObservation is what a node answered when asked directly.
type NodeObservation struct {
	Node    string        // its id in the configuration
	Primary Exchange      // the request that tells whether it is up: status, else session page, else first page, else /
	Status  *StatusReport // what /status said; nil: not asked, or nothing that could be read
	Session *Exchange     // the session test page; nil: not asked
	Pages   []Exchange    // in the order of Cluster.Pages
	Label   string        // how the node calls itself; "": it does not tell
	Version string
	Clock   ClockOffset
}

// A StatusReport is the JSON of a /status endpoint.
type StatusReport struct {
	State    string
	Reason   string
	Version  string
	UpSince  time.Time // zero: not told
	PID      string
	Settings map[string]string // of Status.Settings, those present
}

// Paused reports whether the node says that it does not serve: its state is
// "paused", or it gives a reason. No healthy value is documented, so anything
// else is healthy.
func (s *StatusReport) Paused() bool {
	return s != nil && (equalFold(s.State, "paused") || s.Reason != "")
}

// A BalancerObservation is what one address of the balancer answered to a
// plain client.
type BalancerObservation struct {
	URL     string // as configured
	Address netip.AddrPort
	Primary Exchange
	Pages   []Exchange // in the order of Cluster.Pages
}

// A Walk is one client's way through the balancer: a jar, a source address as
// the balancer sees it, and every step on a connection of its own.
type Walk struct {
	URL      string         // the balancer URL as configured
	Balancer netip.AddrPort // the address dialled
	Client   string         // the address or key presented in the balancer's stead of ours; "": our own
	Expected string         // the node the oracle computed, with every server in rotation; "": it cannot tell
	Base     int            // its counter starts after it, so that no two walks hold one value
	Steps    []Step
}

// First is the walk's first exchange; the zero Exchange when there is none.
func (w Walk) First() Exchange {
	if len(w.Steps) == 0 {
		return Exchange{}
	}
	return w.Steps[0].Exchange
}

// A StepKind tells what a step was for.
type StepKind string

// The steps of a walk, in their order.
const (
	StepFirst  StepKind = "first"  // opens the session
	StepWrite  StepKind = "write"  // stores the counter
	StepFollow StepKind = "follow" // comes back with the cookies of the steps before
)

// A Step is one request of a walk.
type Step struct {
	Kind    StepKind
	Counter int // what the session should hold after this step; 0: nothing was stored
	Exchange
}

// A Crossing presents a walk's cookies directly to another node, to see
// whether that node would know the session after a failover, and then to the
// node it came from, to put the session back where it was.
type Crossing struct {
	From    string // node id
	To      string
	Counter int         // what the session should hold
	Session Fingerprint // what its id should be
	There   Exchange    // at To
}

// A DependencyObservation is what a dependency said to stickwatch itself.
type DependencyObservation struct {
	Name  string
	Up    bool
	Error string
	Took  time.Duration
}

// A HandshakeObservation is one Engine.IO client's handshake through an
// address of the balancer.
type HandshakeObservation struct {
	URL      string
	Balancer netip.AddrPort
	Client   string
	Expected string
	Opened   bool   // the polling open was answered with a sid
	Known    bool   // the polls that followed knew the sid
	Upgraded bool   // the WebSocket upgrade passed and was answered
	Offered  bool   // the server offers the upgrade
	Stage    string // the stage that broke: open, poll, upgrade; "": none
	Status   int    // HTTP status at that stage
	Error    string
	Series   string // the per-process counter in the sid, where it has one
}

// A ClockOffset is an interval that holds the difference between the node's
// clock and ours, in (Min, Max). Samples is 0 when nothing is known.
type ClockOffset struct {
	Min, Max time.Duration
	Samples  int
}
