package monthly

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// A WireReport is the JSON of a report.
type WireReport struct {
	Schema   int                `json:"schema"`
	Month    string             `json:"month"` // such as 2026-11
	From     wire.Timestamp     `json:"from"`
	Until    wire.Timestamp     `json:"until"`  // end of the data
	Target   float64            `json:"target"` // share of requests, in (0, 1]
	Clusters []wireClusterMonth `json:"clusters"`
}

type wireClusterMonth struct {
	Name          string               `json:"name"`
	TargetMet     *bool                `json:"target_met"` // null: there is no data of sessions
	DaysWithData  int                  `json:"days_with_data"`
	Days          int                  `json:"days"`
	Uptimes       []wire.Uptime        `json:"uptimes"` // of sessions without a target: all together
	Incidents     []wire.Incident      `json:"incidents"`
	Deployments   []wireDeploymentCost `json:"deployments"`
	SessionsMoved int                  `json:"sessions_moved"` // in deployments
	SessionsLost  int                  `json:"sessions_lost"`  // in deployments
}

type wireDeploymentCost struct {
	wire.Deployment
	SessionsMoved   int   `json:"sessions_moved"`
	SessionsLost    int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// WireReportOf converts a report.
func WireReportOf(m Report, now time.Time) WireReport {
	return WireReport{
		Schema: wire.Schema, Month: m.From.Format("2006-01"), From: wire.Time(m.From), Until: wire.Time(m.Until), Target: m.Target,
		Clusters: wire.List(m.Clusters, func(c Cluster) wireClusterMonth { return wireClusterMonthOf(m, c, now) }),
	}
}

func wireClusterMonthOf(m Report, c Cluster, now time.Time) wireClusterMonth {
	w := wireClusterMonth{
		Name: wire.Field(c.Name), DaysWithData: c.Covered, Days: c.Days,
		Incidents: wire.List(c.Incidents, func(i alerting.Incident) wire.Incident { return wire.IncidentOf(i, now) }),
		Uptimes:   wire.List(c.Uptimes, wire.UptimeOf),
	}
	if c.Sessions.Probes > 0 {
		met := m.Met(c)
		w.TargetMet = &met
		all := c.Sessions
		all.Kind, all.Name = checks.TargetSession, ""
		w.Uptimes = append([]wire.Uptime{wire.UptimeOf(all)}, w.Uptimes...)
	}
	for _, d := range c.Deployments {
		w.SessionsMoved, w.SessionsLost = w.SessionsMoved+d.Moved, w.SessionsLost+d.Lost
	}
	w.Deployments = wire.List(c.Deployments, func(d Deployment) wireDeploymentCost {
		return wireDeploymentCost{wire.DeploymentOf(d.Deployment), d.Moved, d.Lost, d.Longest.Milliseconds()}
	})
	return w
}
