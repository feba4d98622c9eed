package wire

import (
	"cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Cluster is the state of a cluster after one round.
type Cluster struct {
	Name         string         `json:"name"`
	Verdict      checks.Verdict `json:"verdict"`
	Doubts       []string       `json:"doubts"`   // why the verdict is inconclusive, or would be without the findings
	Balancer     []Balancer     `json:"balancer"` // each address that the balancer resolves to
	Nodes        []Node         `json:"nodes"`    // in the order of the configuration
	Session      Session        `json:"session"`
	NodesFrom    *NodesFrom     `json:"nodes_from" jsonschema:"nullable"` // null: the configuration lists all nodes
	Dependencies []Dependency   `json:"dependencies"`
	Findings     []Finding      `json:"findings"`
}

// NodesFrom is the source of nodes that come and go.
type NodesFrom struct {
	Source   string    `json:"source"`   // such as "dns A app.internal"
	Nodes    int       `json:"nodes"`    // in the list that is used
	Answered Timestamp `json:"answered"` // when it last gave a usable list; "": never
	Failing  Timestamp `json:"failing"`  // since when it gives none; "": it does
	Error    string    `json:"error"`    // why; "": it does
}

// A Balancer is the last probe of one address of the balancer.
type Balancer struct {
	URL       string  `json:"url"`
	Address   string  `json:"address"`    // IP:port that was probed; "": the name did not resolve
	Up        bool    `json:"up"`         // it returned an HTTP response, including an error status
	Status    int     `json:"status"`     // HTTP status; 0: no response
	LatencyMS float64 `json:"latency_ms"` // of the whole exchange, body included
	Error     string  `json:"error"`      // "": none
}

// A Node is the last direct probe of a node, and whether the balancer routes clients to it.
type Node struct {
	ID            string          `json:"id"`
	URL           string          `json:"url"`                                   // "": the node is not configured
	Up            bool            `json:"up"`                                    // it serves when asked directly, or answers that it is paused
	Status        int             `json:"status"`                                // HTTP status; 0: no response
	State         string          `json:"state"`                                 // what its status page says: running, paused; "": it says nothing
	Reason        string          `json:"reason"`                                // why it is paused, by its status page
	Version       string          `json:"version"`                               // version of the application; "": unknown
	InRotation    checks.Tristate `json:"in_rotation"`                           // whether the balancer sends it requests
	LatencyMS     float64         `json:"latency_ms"`                            // of the whole exchange, body included
	ClockOffsetMS []float64       `json:"clock_offset_ms" jsonschema:"nullable"` // its clock minus that of stickwatch, lower and upper bound; null: unknown
	Error         string          `json:"error"`                                 // "": none
}

// A Session is the result of the session checks of one round.
type Session struct {
	Policy     probes.Policy   `json:"policy"`     // "": no round yet
	Sticky     checks.Tristate `json:"sticky"`     // whether sessions stay on their node
	Shared     checks.Tristate `json:"shared"`     // whether other nodes know a session
	Confidence float64         `json:"confidence"` // that sticky is no coincidence, 0 to 1; 0: unknown
	Canaries   []Canary        `json:"canaries"`
}

// A Canary is one client session and its requests.
type Canary struct {
	Pinned   string `json:"pinned"`   // node that holds the session; "": unknown
	Client   string `json:"client"`   // address or key that the client presents; "": stickwatch's own
	Balancer string `json:"balancer"` // URL of the balancer address that the requests went through
	Steps    []Step `json:"steps"`
}

// A Step is one request of a canary.
type Step struct {
	At      Timestamp          `json:"at"`
	Node    string             `json:"node"`    // node that answered; quoted: it is not configured; "": unknown
	Session probes.Fingerprint `json:"session"` // fingerprint of the session id, which itself is not shown
	Status  int                `json:"status"`  // HTTP status; 0: no response
	Error   string             `json:"error"`   // "": none
}

// A Dependency is the last probe of a dependency, and which nodes report it as down.
type Dependency struct {
	Name       string   `json:"name"`
	Up         *bool    `json:"up" jsonschema:"nullable"` // null: unknown
	ReportedBy []string `json:"reported_by"`
	Error      string   `json:"error"`
}

// ClusterOf converts a report. URLs come from the configuration c; a node that is not
// configured has the URL "".
func ClusterOf(report checks.Report, c *probes.Cluster) Cluster {
	urls := map[string]string{}
	for _, n := range c.Nodes {
		if n.URL != nil {
			urls[n.ID] = n.URL.Redacted()
		}
	}
	return Cluster{
		Name:         Text(report.Cluster),
		Verdict:      report.Verdict,
		Doubts:       List(report.Doubts, sentence),
		Balancer:     List(report.Balancers, balancerOf),
		Nodes:        List(report.Nodes, func(n checks.NodeReport) Node { return nodeOf(n, urls[n.Node]) }),
		NodesFrom:    nodesFromOf(report.Source),
		Session:      sessionOf(report.Session),
		Dependencies: List(report.Dependencies, dependencyOf),
		Findings:     List(report.Findings, FindingOf),
	}
}

func nodesFromOf(s probes.SourceState) *NodesFrom {
	if s.Name == "" {
		return nil
	}
	return &NodesFrom{Source: Text(s.Name), Nodes: s.Nodes, Answered: TimestampOf(s.Answered), Failing: TimestampOf(s.Failing), Error: Text(s.Error)}
}

func balancerOf(b probes.BalancerObservation) Balancer {
	return Balancer{
		URL:       Text(b.URL),
		Address:   address(b.Address),
		Up:        b.Primary.Answered(),
		Status:    b.Primary.Status,
		LatencyMS: MS(b.Primary.Timing.Total),
		Error:     Text(b.Primary.Error),
	}
}

func nodeOf(node checks.NodeReport, url string) Node {
	out := Node{
		ID:         Text(node.Node),
		URL:        url,
		Up:         node.Up,
		Status:     node.Primary.Status,
		Version:    Text(node.Version),
		InRotation: cmp.Or(node.InRotation, checks.Unknown),
		LatencyMS:  MS(node.Primary.Timing.Total),
		Error:      Text(node.Primary.Error),
	}
	if node.Status != nil {
		out.State, out.Reason = Text(node.Status.State), Text(node.Status.Reason)
	}
	if node.Clock.Samples > 0 {
		out.ClockOffsetMS = []float64{MS(node.Clock.Min), MS(node.Clock.Max)}
	}
	return out
}

func sessionOf(s checks.SessionReport) Session {
	return Session{
		Policy:     s.Policy,
		Sticky:     cmp.Or(s.Sticky, checks.Unknown),
		Shared:     cmp.Or(s.Shared, checks.Unknown),
		Confidence: s.Confidence,
		Canaries:   List(s.Canaries, canaryOf),
	}
}

func canaryOf(c checks.CanaryTrace) Canary {
	return Canary{
		Pinned:   Text(c.Pinned),
		Client:   Text(c.Client),
		Balancer: Text(c.Balancer),
		Steps: List(c.Steps, func(s checks.CanaryStep) Step {
			return Step{TimestampOf(s.At), Text(s.Node), s.Session, s.Status, Text(s.Error)}
		}),
	}
}

func dependencyOf(d checks.DependencyReport) Dependency {
	out := Dependency{Name: Text(d.Name), ReportedBy: List(d.ReportedBy, Text), Error: Text(d.Error)}
	if d.Up == checks.Yes || d.Up == checks.No {
		out.Up = new(d.Up == checks.Yes)
	}
	return out
}

// A Fleet is what the instances of a fleet know of each other.
type Fleet struct {
	Instances []Instance `json:"instances"` // by name
	Leases    []Lease    `json:"leases"`    // by cluster
}

// An Instance is an instance of a fleet.
type Instance struct {
	Name     string    `json:"name"`
	Site     string    `json:"site"` // "": not given
	Version  string    `json:"version"`
	State    string    `json:"state"`    // alive, draining, impaired (it cannot probe) or gone
	Clusters int       `json:"clusters"` // that it watches
	Started  Timestamp `json:"started"`
	Seen     Timestamp `json:"seen"`     // when it was last heard of
	LagMS    int64     `json:"lag_ms"`   // how long ago that was
	AheadMS  int64     `json:"ahead_ms"` // of the clock of the database, by its clock; negative: behind
	Config   string    `json:"config"`   // identifies its configuration of clusters
}

// A Lease says who watches a cluster.
type Lease struct {
	Cluster  string    `json:"cluster"`
	Instance string    `json:"instance"` // "": nobody
	Epoch    int64     `json:"epoch"`    // grows with each owner
	Since    Timestamp `json:"since"`    // ""; it never had an owner
}
