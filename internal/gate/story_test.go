package gate

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// noon is when every record begins.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// beat is the time from one sign of a track to the next.
const beat = 100 * time.Millisecond

// track is a client's way, a sign a request: the number of the node that
// answered and knew the session, "x" for a failure, "." for a pause. "+1" began a session,
// "!2" did not know it, and "~2" had it older; "0" does not tell who it is.
func track(signs string) Track {
	var t Track
	b := Beat{Fate: probes.FateKept}
	at := noon
	session := 0
	for _, sign := range signs {
		switch sign {
		case ' ':
			continue
		case '+':
			b.New, b.Fate = true, probes.FateUntold
			session++
			continue
		case '!':
			b.Fate = probes.FateLost
			continue
		case '~':
			b.Fate = probes.FateRolledBack
			continue
		case '.':
			at = at.Add(beat)
			continue
		case 'x':
			b.Status, b.Fate = 502, probes.FateUntold
		case '0':
			b.Status, b.Good = 200, true
		default:
			b.Status, b.Good, b.Label = 200, true, "node"+string(sign)
		}
		b.At, b.Took = at, 5*time.Millisecond
		if b.Good {
			b.Session = probes.FingerprintOf(fmt.Sprint(session))
		}
		t.Add(b)
		b = Beat{Fate: probes.FateKept}
		at = at.Add(beat)
	}
	return t
}

// A scene is a deployment of two nodes in signs.
type scene struct {
	policy    probes.Policy // "": replicated
	method    probes.Method
	sessions  []string
	newcomers []string          // "node2: 22211" is aimed at node2
	nodes     map[string]string // asked directly: "1" for any answer; without: they were well
	said      map[string]string // what the balancer says of a node, a sign every beat: "u", "d", "m", "x" down
	before    string            // the nodes' process ids in the opening picture, and
	after     string            // in the closing one: "1 2"
	terms     Terms
	lasted    time.Duration // 0: 3 s

	failTimeout time.Duration // 0: nginx's default, 10 s
	hashes      bool          // clients, so that those of one address meet one node
}

func (s scene) record() Record {
	c := &probes.Cluster{
		Name:     "shop",
		Balancer: probes.Balancer{URLs: []*url.URL{{Scheme: "http", Host: "10.0.0.9"}}, Method: s.method, FailTimeout: s.failTimeout},
		Session:  &probes.Session{Path: "/", Policy: probes.PolicyReplicated, Write: "/?value={value}"},
	}
	if s.policy != "" {
		c.Session.Policy = s.policy
	}
	for _, id := range []string{"node1", "node2"} {
		c.Nodes = append(c.Nodes, probes.Node{ID: id, Weight: 1, URL: &url.URL{Scheme: "http", Host: id}})
	}
	lasted := s.lasted
	if lasted == 0 {
		lasted = 3 * time.Second
	}
	r := Record{
		Cluster: c, Span: checks.Span{From: noon, To: noon.Add(lasted)},
		Nodes: map[string]Track{}, Said: map[string][]Said{},
		Before: pictureOf(c, noon.Add(-time.Second), s.before), After: pictureOf(c, noon.Add(lasted), s.after),
	}
	for _, signs := range s.sessions {
		r.Sessions = append(r.Sessions, Lane{Track: track(signs)})
	}
	for _, signs := range s.newcomers {
		lane := Lane{}
		if aimed, rest, ok := strings.Cut(signs, ": "); ok {
			lane.Expected, lane.Client, signs = aimed, "198.51.100.1", rest
		}
		lane.Track = track(signs)
		r.Newcomers = append(r.Newcomers, lane)
	}
	for id, signs := range s.nodes {
		r.Nodes[id] = track(signs)
	}
	states := map[rune]probes.ServerState{
		'u': probes.ServerUp, 'd': probes.ServerDraining, 'm': probes.ServerMaintenance, 'x': probes.ServerDown,
	}
	for id, signs := range s.said {
		for i, sign := range signs {
			at := noon.Add(time.Duration(i) * beat)
			r.Said[id] = AddSaid(r.Said[id], at, states[sign], fmt.Sprintf("the balancer says %s is %s", id, states[sign]))
		}
	}
	return r
}

// pictureOf is a round in which every node is well.
func pictureOf(c *probes.Cluster, at time.Time, pids string) checks.Round {
	r := checks.Round{Cluster: c, Started: at}
	process := strings.Fields(pids)
	for i, n := range c.Nodes {
		o := probes.NodeObservation{Node: n.ID, Label: n.ID, Primary: probes.Exchange{At: at, Status: 200}}
		if i < len(process) {
			o.Status = &probes.StatusReport{State: "running", PID: process[i]}
		}
		r.Nodes = append(r.Nodes, o)
	}
	return r
}

func (s scene) judged(t *testing.T) Report {
	t.Helper()
	return Judge(s.record(), s.terms, noon.Add(time.Hour))
}

// inShort is a move in a line: "node1>node2 kept restart".
func (m Move) inShort() string {
	text := fmt.Sprintf("%s>%s %s %s", m.From, m.To, m.Fate, m.Cause)
	if m.Allowed {
		text += " allowed"
	}
	return text
}
