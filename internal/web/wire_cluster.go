package web

import (
	"cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

// schema is the version of a cluster's JSON, which `probe -o json` writes too.
const schema = 1

type wireClusters struct {
	Schema   int           `json:"schema"`
	Clusters []wireCluster `json:"clusters"`
}

type wireCluster struct {
	Name         string           `json:"name"`
	Verdict      checks.Verdict   `json:"verdict"` // inconclusive until a round has been taken
	Since        string           `json:"since"`   // since when the verdict has been what it is; "": not known
	Started      string           `json:"started"` // of the round; "": none has been taken
	DurationMS   int64            `json:"duration_ms"`
	Doubts       []string         `json:"doubts"` // why it is inconclusive, or would be but for the findings
	Balancer     []wireBalancer   `json:"balancer"`
	Nodes        []wireNode       `json:"nodes"`
	Session      wireSession      `json:"session"`
	Dependencies []wireDependency `json:"dependencies"`
	Findings     []wireFinding    `json:"findings"`
}

type wireBalancer struct {
	URL       string  `json:"url"`
	Address   string  `json:"address"` // IP:port asked; "": the name did not resolve
	Up        bool    `json:"up"`      // gave an HTTP answer, be it an error
	Status    int     `json:"status"`  // 0: none
	LatencyMS float64 `json:"latency_ms"`
	Error     string  `json:"error"`
}

type wireNode struct {
	ID            string        `json:"id"`
	URL           string        `json:"url"`
	Up            bool          `json:"up"`
	Status        int           `json:"status"`
	State         string        `json:"state"`
	Reason        string        `json:"reason"`
	Version       string        `json:"version"`
	InRotation    checks.Answer `json:"in_rotation"`
	LatencyMS     float64       `json:"latency_ms"`
	ClockOffsetMS []float64     `json:"clock_offset_ms"` // from, to; null: unknown
	Error         string        `json:"error"`
}

type wireSession struct {
	Policy     probes.Policy `json:"policy"`
	Sticky     checks.Answer `json:"sticky"`
	Shared     checks.Answer `json:"shared"`
	Confidence float64       `json:"confidence"`
	Canaries   []wireCanary  `json:"canaries"`
}

type wireCanary struct {
	Pinned   string     `json:"pinned"`
	Client   string     `json:"client"`
	Balancer string     `json:"balancer"` // the address it went through
	Steps    []wireStep `json:"steps"`
}

type wireStep struct {
	At      string             `json:"at"`
	Node    string             `json:"node"`
	Session probes.Fingerprint `json:"session"`
	Status  int                `json:"status"`
	Error   string             `json:"error"`
}

type wireDependency struct {
	Name       string   `json:"name"`
	Up         *bool    `json:"up"` // null: unknown
	ReportedBy []string `json:"reported_by"`
	Error      string   `json:"error"`
}

func wireClusterOf(p Picture) wireCluster {
	r, urls, since := p.Report, map[string]string{}, sinceByKey(p.Standing)
	for _, n := range p.Cluster.Nodes {
		if n.URL != nil {
			urls[n.ID] = n.URL.Redacted()
		}
	}
	return wireCluster{
		Name:         field(p.Cluster.Name),
		Verdict:      verdictOf(p),
		Since:        wireTime(p.Since),
		Started:      wireTime(r.Started),
		DurationMS:   r.Duration.Milliseconds(),
		Doubts:       wireList(r.Doubts, field),
		Balancer:     wireList(r.Balancers, wireBalancerOf),
		Nodes:        wireList(r.Nodes, func(n checks.NodeReport) wireNode { return wireNodeOf(n, urls[n.Node]) }),
		Session:      wireSessionOf(r.Session),
		Dependencies: wireList(r.Dependencies, wireDependencyOf),
		Findings: wireList(r.Findings, func(f checks.Finding) wireFinding {
			return wireFindingOf(f, since[f.Key()])
		}),
	}
}

func wireBalancerOf(b probes.BalancerObservation) wireBalancer {
	return wireBalancer{
		URL:       field(b.URL),
		Address:   wireAddress(b.Address),
		Up:        b.Primary.Answered(),
		Status:    b.Primary.Status,
		LatencyMS: ms(b.Primary.Timing.Total),
		Error:     field(b.Primary.Error),
	}
}

func wireNodeOf(n checks.NodeReport, url string) wireNode {
	out := wireNode{
		ID:         field(n.Node),
		URL:        url,
		Up:         n.Up,
		Status:     n.Primary.Status,
		Version:    field(n.Version),
		InRotation: cmp.Or(n.InRotation, checks.Unknown),
		LatencyMS:  ms(n.Primary.Timing.Total),
		Error:      field(n.Primary.Error),
	}
	if n.Status != nil {
		out.State, out.Reason = field(n.Status.State), field(n.Status.Reason)
	}
	if n.Clock.Samples > 0 {
		out.ClockOffsetMS = []float64{ms(n.Clock.Min), ms(n.Clock.Max)}
	}
	return out
}

func wireSessionOf(s checks.SessionReport) wireSession {
	return wireSession{
		Policy:     s.Policy,
		Sticky:     cmp.Or(s.Sticky, checks.Unknown),
		Shared:     cmp.Or(s.Shared, checks.Unknown),
		Confidence: s.Confidence,
		Canaries:   wireList(s.Canaries, wireCanaryOf),
	}
}

func wireCanaryOf(c checks.Canary) wireCanary {
	return wireCanary{
		Pinned:   field(c.Pinned),
		Client:   field(c.Client),
		Balancer: field(c.Balancer),
		Steps: wireList(c.Steps, func(s checks.CanaryStep) wireStep {
			return wireStep{wireTime(s.At), field(s.Node), s.Session, s.Status, field(s.Error)}
		}),
	}
}

func wireDependencyOf(d checks.DependencyReport) wireDependency {
	out := wireDependency{Name: field(d.Name), ReportedBy: wireList(d.ReportedBy, field), Error: field(d.Error)}
	if d.Up == checks.Yes || d.Up == checks.No {
		out.Up = new(d.Up == checks.Yes)
	}
	return out
}
