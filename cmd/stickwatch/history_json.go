package main

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// The names below are those of the API (/api/v1/history, /api/v1/incidents).
// Fields may be added to schema 1; one that changes its meaning or goes makes
// another one.

type wireClusterHistories struct {
	Schema   int                  `json:"schema"`
	Since    string               `json:"since"`
	Until    string               `json:"until"`
	Clusters []wireClusterHistory `json:"clusters"`
}

type wireClusterHistory struct {
	Cluster     string            `json:"cluster"`
	Since       string            `json:"since"`
	Until       string            `json:"until"`
	Uptimes     []wire.Uptime     `json:"uptimes"`
	Incidents   []wire.Incident   `json:"incidents"`   // newest first
	Moves       []wire.Move       `json:"moves"`       // newest first
	Deployments []wire.Deployment `json:"deployments"` // oldest first
}

// A wireIncidentFile is one incident as -o json prints it.
type wireIncidentFile struct {
	Schema int `json:"schema"`
	wire.Incident
}

func wireClusterHistoriesOf(clusterHistories []clusterHistory, span checks.Span, now time.Time) wireClusterHistories {
	return wireClusterHistories{
		Schema: wire.Schema,
		Since:  wire.Time(span.From),
		Until:  wire.Time(span.To),
		Clusters: wire.List(clusterHistories, func(p clusterHistory) wireClusterHistory {
			return wireClusterHistory{
				Cluster:     wire.Field(p.cluster),
				Since:       wire.Time(p.span.From),
				Until:       wire.Time(p.span.To),
				Uptimes:     wire.List(p.uptimes, wire.UptimeOf),
				Incidents:   wire.List(p.incidents, func(i alerting.Incident) wire.Incident { return wire.IncidentOf(i, now) }),
				Moves:       wire.List(p.moves, wire.MoveOf),
				Deployments: wire.List(p.deployments, wire.DeploymentOf),
			}
		}),
	}
}
