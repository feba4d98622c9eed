package main

import (
	"encoding/json"
	"io"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

type wireResults struct {
	Schema     int            `json:"schema"`
	Started    string         `json:"started"`
	DurationMS int64          `json:"duration_ms"`
	Verdict    checks.Verdict `json:"verdict"`
	Answer     *wireAnswer    `json:"answer,omitempty"` // of --watch, over all clusters
	Clusters   []wireCluster  `json:"clusters"`
}

type wireCluster struct {
	wire.Cluster
	Watch *wireWatch `json:"watch,omitempty"` // with --watch
}

// renderJSON writes r for programs.
func renderJSON(w io.Writer, r results, opts renderOptions) error {
	out := wireResults{
		Schema:     wire.Schema,
		Started:    wire.Time(r.Started),
		DurationMS: r.Duration.Milliseconds(),
		Verdict:    r.Verdict,
		Clusters: wire.List(r.Clusters, func(report checks.Report) wireCluster {
			out := wireCluster{Cluster: wire.ClusterOf(report, opts.cluster(report.Cluster))}
			if w, watched := r.Watches[report.Cluster]; watched {
				out.Watch = wireWatchOf(w, r.Command)
			}
			return out
		}),
	}
	if a, watched := r.answer(); watched {
		out.Answer = wireAnswerOf(a)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}
