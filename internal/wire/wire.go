// Package wire defines the JSON output of stickwatch. `probe -o json`, `history -o json` and
// the API use the same types.
//
// New fields may be added to a schema version. A field that is removed or changes its meaning
// requires a new version. Lists are never null. Texts are sanitized and bounded, because many
// of them come from a target.
package wire

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// SchemaVersion is the version of the types in this package. The documents that stand alone,
// such as the output of probe and the list of clusters, carry it as their schema.
const SchemaVersion = 1

// MaxText bounds a text, in bytes. Only texts from a misbehaving target are longer.
const MaxText = 4096

// Text sanitizes a text and cuts it to MaxText bytes.
func Text(s string) string { return probes.Clean(s, MaxText) }

// sentence is the English text of a message.
func sentence(m checks.Message) string { return Text(m.String()) }

// List converts every element of a list. The result is never nil, so that JSON has [] and not
// null.
func List[T, W any](list []T, of func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return out
}

// A Timestamp is a time in RFC 3339, in UTC with milliseconds.
type Timestamp string

// TimestampOf formats a time. The zero time is "".
func TimestampOf(t time.Time) Timestamp {
	if t.IsZero() {
		return ""
	}
	return Timestamp(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// Time returns the time of a Timestamp. It is zero for "", and for a text that is no timestamp.
func (t Timestamp) Time() time.Time {
	at, _ := time.Parse(time.RFC3339, string(t))
	return at
}

// MS converts a duration to milliseconds, rounded to the microsecond.
func MS(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// Percent formats a share, rounded down, so that no share below a target looks equal to it.
// Binary fractions are a little off, by less than a millionth of the last digit.
func Percent(share float64) string {
	return strconv.FormatFloat(math.Floor(share*1e5+1e-6)/1e3, 'f', -1, 64) + " %"
}

// address formats an address as IP:port. An invalid address is "".
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// An Uptime is the share of successful probes of a target over a span.
type Uptime struct {
	Kind            checks.TargetKind `json:"kind"`
	Target          string            `json:"target"` // node, balancer or dependency; of a session its owner; "": unknown
	Probes          int               `json:"probes"`
	Failed          int               `json:"failed"`            // probes; of a session its requests whose outcome harms the user
	Ratio           float64           `json:"ratio"`             // 0 to 1
	LongestOutageMS int64             `json:"longest_outage_ms"` // 0: none
}

// A Latency is how long the answers of a target took over a span, as percentiles with an error of at most 5 %.
type Latency struct {
	Kind    checks.TargetKind `json:"kind"`
	Target  string            `json:"target"` // as in an Uptime
	P50MS   float64           `json:"p50_ms"` // 0: nothing is known
	P95MS   float64           `json:"p95_ms"`
	P99MS   float64           `json:"p99_ms"`
	Probes  int               `json:"probes"`  // with an answer, of which the percentiles are
	Unknown int               `json:"unknown"` // probes with an answer of which only the mean is stored
}

// A Move is a session that was answered by another node than before.
type Move struct {
	At      Timestamp          `json:"at"`
	From    string             `json:"from"`    // node that held the session
	To      string             `json:"to"`      // node that answered
	Kept    bool               `json:"kept"`    // the session survived
	Session probes.Fingerprint `json:"session"` // fingerprint of the session id
	Cause   string             `json:"cause"`   // "": unknown
}

// A Point is the sum of a target's probes over one interval.
type Point struct {
	At     Timestamp `json:"at"` // beginning of the interval
	Probes int       `json:"probes"`
	Failed int       `json:"failed"`
	MeanMS float64   `json:"mean_ms"` // of answered probes; 0: none
	MaxMS  float64   `json:"max_ms"`  // of answered probes; 0: none
}

// A Deployment is an announced deployment.
type Deployment struct {
	ID      string    `json:"id,omitempty"` // set only in the response that creates the deployment
	Cluster string    `json:"cluster"`
	Name    string    `json:"name"`
	Nodes   []string  `json:"nodes"` // announced nodes; empty: any node
	From    Timestamp `json:"from"`
	To      Timestamp `json:"to"` // "": ongoing
}

// UptimeOf converts an uptime.
func UptimeOf(u checks.Uptime) Uptime {
	return Uptime{
		Kind: u.Kind, Target: Text(u.Name), Probes: u.Probes, Failed: u.Failed, Ratio: u.Ratio,
		LongestOutageMS: u.Longest.Milliseconds(),
	}
}

// LatencyOf converts a latency.
func LatencyOf(l checks.Latency) Latency {
	return Latency{
		Kind: l.Kind, Target: Text(l.Name), P50MS: MS(l.P50), P95MS: MS(l.P95), P99MS: MS(l.P99), Probes: l.Probes, Unknown: l.Unknown,
	}
}

// MoveOf converts a move.
func MoveOf(m checks.Move) Move {
	return Move{
		At: TimestampOf(m.At), From: Text(m.From), To: Text(m.To), Kept: m.Kept, Session: m.Session, Cause: sentence(m.Cause),
	}
}

// PointOf converts a point.
func PointOf(p checks.Point) Point {
	return Point{At: TimestampOf(p.At), Probes: p.Probes, Failed: p.Failed, MeanMS: MS(p.Mean), MaxMS: MS(p.Max)}
}

// DeploymentOf converts a deployment.
func DeploymentOf(d checks.Deployment) Deployment {
	return Deployment{Cluster: Text(d.Cluster), Name: Text(d.Name), Nodes: List(d.Nodes, Text), From: TimestampOf(d.From), To: TimestampOf(d.To)}
}

var errDuration = errors.New("expected a duration such as 10s, 1h30m or 400d")

// ParseDuration parses a duration as in configurations, flags and requests: the format of
// time.ParseDuration, not negative, with optional leading weeks and days of 24 hours: "2w",
// "400d", "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	var whole time.Duration
	rest := text
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, after, ok := strings.Cut(rest, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || time.Duration(n) > (math.MaxInt64-whole)/unit.length {
			return 0, errDuration
		}
		if whole, rest = whole+time.Duration(n)*unit.length, after; rest == "" {
			return whole, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") || part > math.MaxInt64-whole {
		return 0, errDuration
	}
	return whole + part, nil
}

// A SilenceRequest creates a silence. Its scope is a cluster, a node or a code, or all.
type SilenceRequest struct {
	Cluster  string      `json:"cluster"`
	Node     string      `json:"node"`
	Code     checks.Code `json:"code"`          // "": all codes
	All      bool        `json:"all,omitempty"` // must be explicit; empty fields do not mean all
	Reason   string      `json:"reason"`
	Author   string      `json:"author"`   // "": the authenticated user
	From     string      `json:"from"`     // RFC 3339; "": now
	To       string      `json:"to"`       // RFC 3339; excludes duration
	Duration string      `json:"duration"` // since from: 30m, 2h, 7d
}

// An AcknowledgeRequest says who takes care of an incident.
type AcknowledgeRequest struct {
	Author   string `json:"author"`              // "": the authenticated user
	Note     string `json:"note"`                // "": none
	TakeOver bool   `json:"take_over,omitempty"` // replace the acknowledgement of somebody else, which is refused otherwise
}

// A NoteRequest adds a note to the timeline of an incident.
type NoteRequest struct {
	Author string `json:"author"` // "": the authenticated user
	Text   string `json:"text" jsonschema:"required"`
}

// A DeploymentRequest announces a deployment.
type DeploymentRequest struct {
	Cluster string   `json:"cluster" jsonschema:"required"`
	Name    string   `json:"name" jsonschema:"required"` // for example a version or a ticket
	Nodes   []string `json:"nodes,omitempty"`            // nodes that it changes; omitted: any
}

// A DeploymentEndRequest contains the counts of a client that watched a deployment. Without a
// body there are none.
type DeploymentEndRequest struct {
	Moved           int   `json:"sessions_moved"`
	Lost            int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// A TokenRequest creates a token.
type TokenRequest struct {
	Duration string `json:"duration" jsonschema:"required"` // validity: 30m, 12h, 7d
	Bearer   bool   `json:"bearer"`                         // for a program; false: a link for a browser
}

// A Token is a new token.
type Token struct {
	Token   string    `json:"token,omitempty"`
	Link    string    `json:"link,omitempty"` // valid for ten minutes
	Expires Timestamp `json:"expires"`        // of the token or of the link
}

// An Admin describes the daemon of an admin socket.
type Admin struct {
	Listen string `json:"listen"` // address of the public listener
}
