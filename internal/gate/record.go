package gate

import (
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Record is everything that was seen of a cluster while it was watched.
type Record struct {
	Cluster       *probes.Cluster
	checks.Span                // To is zero while it goes on
	Before, After checks.Round // pictures taken at its ends; a zero After: none yet

	Sessions  []Lane           // users: each holds a session
	Newcomers []Lane           // clients that come new with every request
	Nodes     map[string]Track // what nodes answered when asked directly, by id
	Said      map[string][]Said
}

// A Lane is one client's way through an address of the balancer.
type Lane struct {
	Through  string // URL of the balancer, with the address where it is not that
	Client   string // client address or key presented; "": our own
	Expected string // the node that the oracle names; "": it cannot
	Track    Track
}

// A Said is what the balancer itself told of a node, over a stretch of time in
// which it said nothing else.
type Said struct {
	From, To time.Time // first and last time that it was asked
	State    probes.ServerState
	Words    string
}

// AddSaid takes in what was told of a node at a time.
func AddSaid(list []Said, at time.Time, state probes.ServerState, words string) []Said {
	if n := len(list); n > 0 && list[n-1].State == state {
		list[n-1].To = at
		return list
	}
	return append(list, Said{From: at, To: at, State: state, Words: words})
}

// Terms are what a deployment is held to, beside what users are promised anyway.
type Terms struct {
	Drain      string         // the node that is to be emptied; "": none is
	MaxOutage  *time.Duration // the longest time without an answer that is put up with; nil: any, as a warning
	Ignore     []checks.Code  // promises that these codes break are not asked for
	NoLoss     bool           // a lost session is critical, whatever the policy allows
	Confidence float64        // by which chance must be excluded; 0: checks.DefaultConfidence
}
