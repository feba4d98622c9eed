package web

import (
	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

type wirePast struct {
	Cluster     string           `json:"cluster"`
	Since       string           `json:"since"`
	Until       string           `json:"until"`
	Uptimes     []wireUptime     `json:"uptimes"`
	Moves       []wireMove       `json:"moves"` // newest first
	Deployments []wireDeployment `json:"deployments"`
	StepMS      int64            `json:"step_ms,omitempty"`
	Points      []wirePoint      `json:"points,omitempty"` // of the target asked for, oldest first
}

type wireUptime struct {
	Kind            checks.TargetKind `json:"kind"`
	Target          string            `json:"target"`
	Probes          int               `json:"probes"`
	Failed          int               `json:"failed"`
	Ratio           float64           `json:"ratio"` // 0..1
	LongestOutageMS int64             `json:"longest_outage_ms"`
}

type wireMove struct {
	At      string             `json:"at"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	Kept    bool               `json:"kept"`
	Session probes.Fingerprint `json:"session"`
	Cause   string             `json:"cause"`
}

type wirePoint struct {
	At     string  `json:"at"`
	Probes int     `json:"probes"`
	Failed int     `json:"failed"`
	MeanMS float64 `json:"mean_ms"`
	MaxMS  float64 `json:"max_ms"`
}

type wireDeployments struct {
	Deployments []wireDeployment `json:"deployments"`
}

type wireDeployment struct {
	ID      string `json:"id,omitempty"` // where it has just begun
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
	From    string `json:"from"`
	To      string `json:"to"` // "": it goes on
}

type wireSilences struct {
	Silences []wireSilence `json:"silences"`
}

type wireSilence struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"` // "": every cluster
	Node    string      `json:"node"`    // "": every node, and what is about none
	Code    checks.Code `json:"code"`    // "": every code
	Reason  string      `json:"reason"`
	Author  string      `json:"author"`
	From    string      `json:"from"`
	To      string      `json:"to"`
	Active  bool        `json:"active"`
}

func wireUptimeOf(u checks.Uptime) wireUptime {
	return wireUptime{u.Kind, field(u.Name), u.Probes, u.Failed, u.Ratio, u.Longest.Milliseconds()}
}

func wireMoveOf(m checks.Move) wireMove {
	return wireMove{wireTime(m.At), field(m.From), field(m.To), m.Kept, m.Session, field(m.Cause)}
}

func wirePointOf(p checks.Point) wirePoint {
	return wirePoint{wireTime(p.At), p.Probes, p.Failed, ms(p.Mean), ms(p.Max)}
}

func wireDeploymentOf(d checks.Deployment) wireDeployment {
	return wireDeployment{Cluster: field(d.Cluster), Name: field(d.Name), From: wireTime(d.From), To: wireTime(d.To)}
}

func (s *Server) wireSilenceOf(of alerting.Silence) wireSilence {
	return wireSilence{
		ID: of.ID, Cluster: field(of.Cluster), Node: field(of.Node), Code: of.Code,
		Reason: field(of.Reason), Author: field(of.Author),
		From: wireTime(of.From), To: wireTime(of.To), Active: of.Active(s.config.Now()),
	}
}
