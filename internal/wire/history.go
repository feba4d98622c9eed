package wire

import (
	"stickwatch/checks"
	"stickwatch/probes"
)

// An Uptime is how much of a span a target was up for.
type Uptime struct {
	Kind            checks.TargetKind `json:"kind"`
	Target          string            `json:"target"`
	Probes          int               `json:"probes"`
	Failed          int               `json:"failed"`
	Ratio           float64           `json:"ratio"` // 0..1
	LongestOutageMS int64             `json:"longest_outage_ms"`
}

// A Move is a session that changed its node.
type Move struct {
	At      string             `json:"at"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	Kept    bool               `json:"kept"`
	Session probes.Fingerprint `json:"session"`
	Cause   string             `json:"cause"`
}

// A Point is a target over one step of time.
type Point struct {
	At     string  `json:"at"`
	Probes int     `json:"probes"`
	Failed int     `json:"failed"`
	MeanMS float64 `json:"mean_ms"`
	MaxMS  float64 `json:"max_ms"`
}

// A Deployment is a stretch of time that somebody has announced.
type Deployment struct {
	ID      string   `json:"id,omitempty"` // where it has just begun
	Cluster string   `json:"cluster"`
	Name    string   `json:"name"`
	Nodes   []string `json:"nodes"` // that it changes, as announced; empty: any
	From    string   `json:"from"`
	To      string   `json:"to"` // "": it goes on
}

// UptimeOf is one as programs get it.
func UptimeOf(u checks.Uptime) Uptime {
	return Uptime{u.Kind, Field(u.Name), u.Probes, u.Failed, u.Ratio, u.Longest.Milliseconds()}
}

// MoveOf is one as programs get it.
func MoveOf(m checks.Move) Move {
	return Move{Time(m.At), Field(m.From), Field(m.To), m.Kept, m.Session, Sentence(m.Cause)}
}

// PointOf is one as programs get it.
func PointOf(p checks.Point) Point {
	return Point{Time(p.At), p.Probes, p.Failed, MS(p.Mean), MS(p.Max)}
}

// DeploymentOf is one as programs get it.
func DeploymentOf(d checks.Deployment) Deployment {
	return Deployment{Cluster: Field(d.Cluster), Name: Field(d.Name), Nodes: List(d.Nodes, Field), From: Time(d.From), To: Time(d.To)}
}
