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
	Doubts       []string       `json:"doubts"` // why the verdict is inconclusive, or would be without the findings
	Balancer     []Balancer     `json:"balancer"`
	Nodes        []Node         `json:"nodes"`
	Session      Session        `json:"session"`
	Dependencies []Dependency   `json:"dependencies"`
	Findings     []Finding      `json:"findings"`
}

// A Balancer is the last probe of one address of the balancer.
type Balancer struct {
	URL       string  `json:"url"`
	Address   string  `json:"address"` // IP:port that was probed; "": the name did not resolve
	Up        bool    `json:"up"`      // it returned an HTTP response, including an error status
	Status    int     `json:"status"`  // HTTP status; 0: no response
	LatencyMS float64 `json:"latency_ms"`
	Error     string  `json:"error"`
}

// A Node is the last direct probe of a node, and whether the balancer routes clients to it.
type Node struct {
	ID            string        `json:"id"`
	URL           string        `json:"url"`
	Up            bool          `json:"up"`
	Status        int           `json:"status"`
	State         string        `json:"state"`
	Reason        string        `json:"reason"`
	Version       string        `json:"version"`
	InRotation    checks.Answer `json:"in_rotation"`
	LatencyMS     float64       `json:"latency_ms"`
	ClockOffsetMS []float64     `json:"clock_offset_ms" jsonschema:"nullable"` // lower and upper bound; null: unknown
	Error         string        `json:"error"`
}

// A Session is the result of the session checks of one round.
type Session struct {
	Policy     probes.Policy `json:"policy"` // "": no round yet
	Sticky     checks.Answer `json:"sticky"`
	Shared     checks.Answer `json:"shared"`
	Confidence float64       `json:"confidence"`
	Canaries   []Canary      `json:"canaries"`
}

// A Canary is one client session and its requests.
type Canary struct {
	Pinned   string `json:"pinned"`
	Client   string `json:"client"`
	Balancer string `json:"balancer"` // URL of the balancer address that the requests went through
	Steps    []Step `json:"steps"`
}

// A Step is one request of a canary.
type Step struct {
	At      Timestamp          `json:"at"`
	Node    string             `json:"node"`
	Session probes.Fingerprint `json:"session"`
	Status  int                `json:"status"`
	Error   string             `json:"error"`
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
func ClusterOf(r checks.Report, c *probes.Cluster) Cluster {
	urls := map[string]string{}
	for _, n := range c.Nodes {
		if n.URL != nil {
			urls[n.ID] = n.URL.Redacted()
		}
	}
	return Cluster{
		Name:         Field(r.Cluster),
		Verdict:      r.Verdict,
		Doubts:       List(r.Doubts, Sentence),
		Balancer:     List(r.Balancers, balancerOf),
		Nodes:        List(r.Nodes, func(n checks.NodeReport) Node { return nodeOf(n, urls[n.Node]) }),
		Session:      sessionOf(r.Session),
		Dependencies: List(r.Dependencies, dependencyOf),
		Findings:     List(r.Findings, FindingOf),
	}
}

func balancerOf(b probes.BalancerObservation) Balancer {
	return Balancer{
		URL:       Field(b.URL),
		Address:   address(b.Address),
		Up:        b.Primary.Answered(),
		Status:    b.Primary.Status,
		LatencyMS: MS(b.Primary.Timing.Total),
		Error:     Field(b.Primary.Error),
	}
}

func nodeOf(n checks.NodeReport, url string) Node {
	out := Node{
		ID:         Field(n.Node),
		URL:        url,
		Up:         n.Up,
		Status:     n.Primary.Status,
		Version:    Field(n.Version),
		InRotation: cmp.Or(n.InRotation, checks.Unknown),
		LatencyMS:  MS(n.Primary.Timing.Total),
		Error:      Field(n.Primary.Error),
	}
	if n.Status != nil {
		out.State, out.Reason = Field(n.Status.State), Field(n.Status.Reason)
	}
	if n.Clock.Samples > 0 {
		out.ClockOffsetMS = []float64{MS(n.Clock.Min), MS(n.Clock.Max)}
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

func canaryOf(c checks.Canary) Canary {
	return Canary{
		Pinned:   Field(c.Pinned),
		Client:   Field(c.Client),
		Balancer: Field(c.Balancer),
		Steps: List(c.Steps, func(s checks.CanaryStep) Step {
			return Step{Time(s.At), Field(s.Node), s.Session, s.Status, Field(s.Error)}
		}),
	}
}

func dependencyOf(d checks.DependencyReport) Dependency {
	out := Dependency{Name: Field(d.Name), ReportedBy: List(d.ReportedBy, Field), Error: Field(d.Error)}
	if d.Up == checks.Yes || d.Up == checks.No {
		out.Up = new(d.Up == checks.Yes)
	}
	return out
}
