package wire

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A Silence holds back the notifications about some findings for a time.
type Silence struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"` // "": all clusters
	Node    string      `json:"node"`    // "": all nodes, and findings without a node
	Code    checks.Code `json:"code"`    // "": all codes
	Reason  string      `json:"reason"`
	Author  string      `json:"author"`
	From    Timestamp   `json:"from"`
	To      Timestamp   `json:"to"`
	Active  bool        `json:"active"` // it has begun
}

// SilenceOf converts a silence, which is active or not at the given time.
func SilenceOf(s alerting.Silence, now time.Time) Silence {
	return Silence{
		ID: s.ID, Cluster: Text(s.Cluster), Node: Text(s.Node), Code: s.Code,
		Reason: Text(s.Reason), Author: Text(s.Author), From: TimestampOf(s.From), To: TimestampOf(s.To), Active: s.Active(now),
	}
}
