package gate

import (
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A WatchRecord contains all observations of a cluster during a watch.
type WatchRecord struct {
	Cluster       *probes.Cluster
	checks.Span                // To is zero while the watch is active
	Before, After checks.Round // first and last round; After is zero until the end

	Sessions       []WatchedClient     // clients that each hold a session
	NewClients     []WatchedClient     // clients that are new with every request
	Nodes          map[string]Timeline // direct requests to nodes, by node id
	BalancerStates map[string][]BalancerState
}

// A WatchedClient is one client with its timeline through an address of the balancer.
type WatchedClient struct {
	Frontend   string // URL of the balancer, with the address where they differ
	Client     string // client address or hash key presented; "": this machine's address
	TargetNode string // node predicted by the oracle; "": unpredictable
	Timeline   Timeline
}

// A BalancerState is the balancer's evidence about a node over a period in which it did
// not change.
type BalancerState struct {
	From, To time.Time // first and last poll
	State    probes.ServerState
	Text     string
}

// AddBalancerState adds the evidence about a node at a time.
func AddBalancerState(list []BalancerState, at time.Time, state probes.ServerState, words string) []BalancerState {
	if n := len(list); n > 0 && list[n-1].State == state {
		list[n-1].To = at
		return list
	}
	return append(list, BalancerState{From: at, To: at, State: state, Text: words})
}

// Limits are the conditions of a deployment, in addition to the guarantees of the
// cluster.
type Limits struct {
	Drain      string         // node that must be drained; "": none
	MaxOutage  *time.Duration // longest outage that is tolerated; nil: any outage is a warning
	Ignore     []checks.Code  // guarantees with these codes are not checked
	NoLoss     bool           // a lost session is critical, whatever the policy allows
	Confidence float64        // confidence required to exclude chance; 0: checks.DefaultConfidence
}
