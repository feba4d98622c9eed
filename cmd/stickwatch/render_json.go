package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// schema is the version of the JSON below. Fields may be added to a version;
// one that changes its meaning or goes makes a new one.
const schema = 1

type wireResults struct {
	Schema     int            `json:"schema"`
	Started    string         `json:"started"`
	DurationMS int64          `json:"duration_ms"`
	Verdict    checks.Verdict `json:"verdict"`
	Clusters   []wireCluster  `json:"clusters"`
}

type wireCluster struct {
	Name         string           `json:"name"`
	Verdict      checks.Verdict   `json:"verdict"`
	Doubts       []string         `json:"doubts"` // why it is inconclusive, or would be but for the findings
	Balancer     []wireBalancer   `json:"balancer"`
	Nodes        []wireNode       `json:"nodes"`
	Session      wireSession      `json:"session"`
	Dependencies []wireDependency `json:"dependencies"`
	Findings     []wireFinding    `json:"findings"`
	Watch        *wireWatch       `json:"watch,omitempty"` // with --watch
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

type wireFinding struct {
	Code        checks.Code     `json:"code"`
	Severity    checks.Severity `json:"severity"`
	Node        string          `json:"node"`
	Nodes       []string        `json:"nodes"`
	Dependency  string          `json:"dependency"`
	Target      string          `json:"target"` // what else it is about, such as a page
	Summary     string          `json:"summary"`
	Remedy      string          `json:"remedy"`
	Evidence    []string        `json:"evidence"`
	Key         string          `json:"key"`          // names it from one round to the next
	ExplainedBy string          `json:"explained_by"` // the key of its cause
}

// renderJSON writes r for programs.
func renderJSON(w io.Writer, r results, opts renderOptions) error {
	out := wireResults{
		Schema:     schema,
		Started:    wireTime(r.Started),
		DurationMS: r.Duration.Milliseconds(),
		Verdict:    r.Verdict,
		Clusters: wireList(r.Clusters, func(report checks.Report) wireCluster {
			out := wireClusterOf(report, opts.cluster(report.Cluster))
			if w, watched := r.Watches[report.Cluster]; watched {
				out.Watch = wireWatchOf(w, r.Command)
			}
			return out
		}),
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

func wireClusterOf(r checks.Report, c *probes.Cluster) wireCluster {
	urls := map[string]string{}
	for _, n := range c.Nodes {
		if n.URL != nil {
			urls[n.ID] = n.URL.Redacted()
		}
	}
	return wireCluster{
		Name:     field(r.Cluster),
		Verdict:  r.Verdict,
		Doubts:   wireList(r.Doubts, field),
		Balancer: wireList(r.Balancers, wireBalancerOf),
		Nodes: wireList(r.Nodes, func(n checks.NodeReport) wireNode {
			return wireNodeOf(n, urls[n.Node])
		}),
		Session: wireSession{
			Policy:     r.Session.Policy,
			Sticky:     wireAnswer(r.Session.Sticky),
			Shared:     wireAnswer(r.Session.Shared),
			Confidence: r.Session.Confidence,
			Canaries:   wireList(r.Session.Canaries, wireCanaryOf),
		},
		Dependencies: wireList(r.Dependencies, wireDependencyOf),
		Findings:     wireList(r.Findings, wireFindingOf),
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
		InRotation: wireAnswer(n.InRotation),
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
	if known(d.Up) {
		out.Up = new(d.Up == checks.Yes)
	}
	return out
}

func wireFindingOf(f checks.Finding) wireFinding {
	return wireFinding{
		Code:        f.Code,
		Severity:    f.Severity,
		Node:        field(f.Node),
		Nodes:       wireList(f.Nodes, field),
		Dependency:  field(f.Dependency),
		Summary:     field(f.Summary),
		Remedy:      field(f.Remedy),
		Evidence:    wireList(f.Evidence, field),
		Target:      field(f.Target),
		Key:         field(f.Key()),
		ExplainedBy: field(f.ExplainedBy),
	}
}

// wireList is never nil: consumers iterate over what is there.
func wireList[T, W any](list []T, wire func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = wire(v)
	}
	return out
}

// wireTime is RFC 3339 in UTC with milliseconds; "" for no time at all.
func wireTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// wireAddress is IP:port; "" for no address at all.
func wireAddress(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func wireAnswer(a checks.Answer) checks.Answer { return checks.Answer(answer(a)) }

// field is a text as programs get it: whole, but for what no program asked for.
func field(s string) string { return clean(s, maxField) }
