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
		Schema: wire.SchemaVersion, Month: m.From.Format("2006-01"), From: wire.TimestampOf(m.From), Until: wire.TimestampOf(m.Until), Target: m.Target,
		Clusters: wire.List(m.Clusters, func(c Cluster) wireClusterMonth { return wireClusterMonthOf(m, c, now) }),
	}
}

func wireClusterMonthOf(m Report, cluster Cluster, now time.Time) wireClusterMonth {
	month := wireClusterMonth{
		Name: wire.Text(cluster.Name), DaysWithData: cluster.Covered, Days: cluster.Days,
		Incidents: wire.List(cluster.Incidents, func(i alerting.Incident) wire.Incident { return wire.IncidentOf(i, now) }),
		Uptimes:   wire.List(cluster.Uptimes, wire.UptimeOf),
	}
	if cluster.Sessions.Probes > 0 {
		met := m.Met(cluster)
		month.TargetMet = &met
		all := cluster.Sessions
		all.Kind, all.Name = checks.TargetSession, ""
		month.Uptimes = append([]wire.Uptime{wire.UptimeOf(all)}, month.Uptimes...)
	}
	for _, d := range cluster.Deployments {
		month.SessionsMoved, month.SessionsLost = month.SessionsMoved+d.Moved, month.SessionsLost+d.Lost
	}
	month.Deployments = wire.List(cluster.Deployments, func(d Deployment) wireDeploymentCost {
		return wireDeploymentCost{wire.DeploymentOf(d.Deployment), d.Moved, d.Lost, d.Longest.Milliseconds()}
	})
	return month
}
