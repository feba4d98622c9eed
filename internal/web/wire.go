package web

import (
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// JSON types of the API with data that only a daemon has, in addition to package wire.

type wireClusters struct {
	Schema   int           `json:"schema"`
	Clusters []wireCluster `json:"clusters"`
}

type wireCluster struct {
	wire.Cluster // the verdict is inconclusive before the first round

	Since      wire.Timestamp `json:"since"`       // start of the verdict; "": unknown
	Started    wire.Timestamp `json:"started"`     // of the newest round; "": none
	DurationMS int64          `json:"duration_ms"` // of the newest round
	// Findings shadows wire.Cluster.Findings in JSON, to add when each became active.
	Findings []wire.ActiveFinding `json:"findings"` // each cause before the findings that it explains
}

func wireClusterOf(s Snapshot) wireCluster {
	since := sinceByKey(s.ActiveFindings)
	out := wireCluster{
		Cluster:    wire.ClusterOf(s.Report, s.Cluster),
		Since:      wire.TimestampOf(s.Since),
		Started:    wire.TimestampOf(s.Report.Started),
		DurationMS: s.Report.Duration.Milliseconds(),
		Findings: wire.List(s.Report.Findings, func(f checks.Finding) wire.ActiveFinding {
			return wire.ActiveFinding{Finding: wire.FindingOf(f), Since: wire.TimestampOf(since[f.Key()])}
		}),
	}
	out.Name, out.Verdict = wire.Text(s.Cluster.Name), verdictOf(s)
	return out
}

// sinceByKey returns the start of each finding by its key.
func sinceByKey(activeFindings []checks.ActiveFinding) map[string]time.Time {
	since := make(map[string]time.Time, len(activeFindings))
	for _, found := range activeFindings {
		since[found.Key()] = found.Since
	}
	return since
}

type wireIncidents struct {
	Incidents []wire.Incident `json:"incidents"`
}

type wireHistory struct {
	Cluster     string            `json:"cluster"`
	Since       wire.Timestamp    `json:"since"`
	Until       wire.Timestamp    `json:"until"`
	Uptimes     []wire.Uptime     `json:"uptimes"`
	Latencies   []wire.Latency    `json:"latencies"`
	Moves       []wire.Move       `json:"moves"` // newest first
	Deployments []wire.Deployment `json:"deployments"`
	StepMS      int64             `json:"step_ms,omitempty"` // of the points
	Points      []wire.Point      `json:"points,omitempty"`  // of the requested target, oldest first
}

type wireDeployments struct {
	Deployments []wire.Deployment `json:"deployments"`
}

type wireSilences struct {
	Silences []wire.Silence `json:"silences"`
}
