// Package wire is the JSON that stickwatch shows: the same thing has the same
// shape in `probe -o json`, in `history -o json` and in the API.
//
// Fields may be added to a schema; one that changes its meaning or goes makes
// another one. Lists are never null, and texts are clean and bounded: much of
// what they say was said by a target.
package wire

import (
	"net/netip"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// Schema is the version of all of it.
const Schema = 1

// MaxField bounds a text, in bytes: whole, but for what nobody asked for.
const MaxField = 4096

// Field is a text as programs get it.
func Field(s string) string { return probes.Clean(s, MaxField) }

// Sentence is a message in English, which programs are told in.
func Sentence(m checks.Message) string { return Field(m.String()) }

// List is never nil: programs iterate over what is there.
func List[T, W any](list []T, of func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return out
}

// Time is RFC 3339 in UTC with milliseconds; "" for no time at all.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// MS tells a duration in milliseconds, to the microsecond.
func MS(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// address is IP:port; "" for no address at all.
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

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
