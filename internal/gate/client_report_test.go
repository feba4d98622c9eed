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
var testTime = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// sample is the time from one sign of a track to the next.
const sample = 100 * time.Millisecond

// timeline is a client's way, a sign a request: the number of the node that
// answered and knew the session, "x" for a failure, "." for a pause. "+1" began a session,
// "!2" did not know it, and "~2" had it older; "0" does not tell who it is.
func timeline(signs string) Timeline {
	var t Timeline
	b := Sample{SessionOutcome: probes.SessionKept}
	at := testTime
	session := 0
	for _, sign := range signs {
		switch sign {
		case ' ':
			continue
		case '+':
			b.New, b.SessionOutcome = true, probes.SessionUnknown
			session++
			continue
		case '!':
			b.SessionOutcome = probes.SessionLost
			continue
		case '~':
			b.SessionOutcome = probes.SessionStale
			continue
		case '.':
			at = at.Add(sample)
			continue
		case 'x':
			b.Status, b.SessionOutcome = 502, probes.SessionUnknown
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
		b = Sample{SessionOutcome: probes.SessionKept}
		at = at.Add(sample)
	}
	return t
}

// A fixture is a deployment of two nodes in signs.
type fixture struct {
	policy         probes.Policy // "": replicated
	method         probes.Method
	sessions       []string
	newClients     []string          // "node2: 22211" is aimed at node2
	nodes          map[string]string // asked directly: "1" for any answer; without: they were well
	balancerStates map[string]string // what the balancer says of a node, a sign every beat: "u", "d", "m", "x" down
	before         string            // the nodes' process ids in the opening picture, and
	after          string            // in the closing one: "1 2"
	limits         Limits
	lasted         time.Duration // 0: 3 s

	failTimeout time.Duration // 0: nginx's default, 10 s
	hashes      bool          // clients, so that those of one address meet one node
}

func (s fixture) record() WatchRecord {
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
	r := WatchRecord{
		Cluster: c, Span: checks.Span{From: testTime, To: testTime.Add(lasted)},
		Nodes: map[string]Timeline{}, BalancerStates: map[string][]BalancerState{},
		Before: reportOf(c, testTime.Add(-time.Second), s.before), After: reportOf(c, testTime.Add(lasted), s.after),
	}
	for _, signs := range s.sessions {
		r.Sessions = append(r.Sessions, WatchedClient{Timeline: timeline(signs)})
	}
	for _, signs := range s.newClients {
		client := WatchedClient{}
		if aimed, rest, ok := strings.Cut(signs, ": "); ok {
			client.TargetNode, client.Client, signs = aimed, "198.51.100.1", rest
		}
		client.Timeline = timeline(signs)
		r.NewClients = append(r.NewClients, client)
	}
	for id, signs := range s.nodes {
		r.Nodes[id] = timeline(signs)
	}
	states := map[rune]probes.ServerState{
		'u': probes.ServerUp, 'd': probes.ServerDraining, 'm': probes.ServerMaintenance, 'x': probes.ServerDown,
	}
	for id, signs := range s.balancerStates {
		for i, sign := range signs {
			at := testTime.Add(time.Duration(i) * sample)
			r.BalancerStates[id] = AddBalancerState(r.BalancerStates[id], at, states[sign], fmt.Sprintf("the balancer says %s is %s", id, states[sign]))
		}
	}
	return r
}

// reportOf is a round in which every node is well.
func reportOf(c *probes.Cluster, at time.Time, pids string) checks.Round {
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

func (s fixture) judged(t *testing.T) Report {
	t.Helper()
	return Judge(s.record(), s.limits, testTime.Add(time.Hour))
}

// writeShort is a move in a line: "node1>node2 kept restart".
func (m Move) inShort() string {
	text := fmt.Sprintf("%s>%s %s %s", m.From, m.To, m.SessionOutcome, m.Cause)
	if m.Allowed {
		text += " allowed"
	}
	return text
}
