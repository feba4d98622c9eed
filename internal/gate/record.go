package gate

import (
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A WatchRecord is everything that was seen of a cluster while it was watched.
type WatchRecord struct {
	Cluster       *probes.Cluster
	checks.Span                // To is zero while it goes on
	Before, After checks.Round // pictures taken at its ends; a zero After: none yet

	Sessions       []WatchedClient     // users: each holds a session
	NewClients     []WatchedClient     // clients that come new with every request
	Nodes          map[string]Timeline // what nodes answered when asked directly, by id
	BalancerStates map[string][]BalancerState
}

// A WatchedClient is one client's way through an address of the balancer.
type WatchedClient struct {
	Frontend   string // URL of the balancer, with the address where it is not that
	Client     string // client address or key presented; "": our own
	TargetNode string // the node that the oracle names; "": it cannot
	Timeline   Timeline
}

// A BalancerState is what the balancer itself told of a node, over a stretch of time in
// which it said nothing else.
type BalancerState struct {
	From, To time.Time // first and last time that it was asked
	State    probes.ServerState
	Text     string
}

// AddBalancerState takes in what was told of a node at a time.
func AddBalancerState(list []BalancerState, at time.Time, state probes.ServerState, words string) []BalancerState {
	if n := len(list); n > 0 && list[n-1].State == state {
		list[n-1].To = at
		return list
	}
	return append(list, BalancerState{From: at, To: at, State: state, Text: words})
}

// Limits are what a deployment is held to, beside what users are promised anyway.
type Limits struct {
	Drain      string         // the node that is to be emptied; "": none is
	MaxOutage  *time.Duration // the longest time without an answer that is put up with; nil: any, as a warning
	Ignore     []checks.Code  // promises that these codes break are not asked for
	NoLoss     bool           // a lost session is critical, whatever the policy allows
	Confidence float64        // by which chance must be excluded; 0: checks.DefaultConfidence
}
