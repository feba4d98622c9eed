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

	// StatusError says why nothing could be read in a status that was answered
	// with 200; "": it could, or was not asked or answered.
	StatusError string
}

// A BalancerObservation is what one address of the balancer answered to a
// plain client.
type BalancerObservation struct {
	URL     string // as configured
	Address netip.AddrPort
	Primary Exchange
	Pages   []Exchange // in the order of Cluster.Pages
	Waiting int        // addresses of the URL that are not probed now, but in their turn
}

// A DependencyObservation is what a dependency said to stickwatch itself.
type DependencyObservation struct {
	Name         string
	Up           bool
	Error        string
	LocalAddress bool // this machine could not ask it; see Own
	Took         time.Duration
}

// A HandshakeObservation is one Engine.IO client's handshake, through an address
// of the balancer or with a node directly.
type HandshakeObservation struct {
	Node     string // the node asked directly; "": through the balancer
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
	TimedOut bool   // it broke because there was no time left for it
	Error    string
	Series   string // the per-process counter in the sid, where it has one
}
