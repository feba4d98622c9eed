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

// testTime is the beginning of every record.
var testTime = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// sample is the time between two signs of a timeline.
const sample = 100 * time.Millisecond

// timeline parses one sign per request: the number of the node that answered and knew
// the session, "x" for a failure, "." for a pause. "+1" is the start of a session, "!2"
// a lost session, "~2" a stale one, and "0" an answer that does not identify its node.
func timeline(signs string) Timeline {
	var t Timeline
	s := Sample{SessionOutcome: probes.SessionKept}
	at := testTime
	session := 0
	for _, sign := range signs {
		switch sign {
		case ' ':
			continue
		case '+':
			s.New, s.SessionOutcome = true, probes.SessionUnknown
			session++
			continue
		case '!':
			s.SessionOutcome = probes.SessionLost
			continue
		case '~':
			s.SessionOutcome = probes.SessionStale
			continue
		case '.':
			at = at.Add(sample)
			continue
		case 'x':
			s.Status, s.SessionOutcome = 502, probes.SessionUnknown
		case '0':
			s.Status, s.Good = 200, true
		default:
			s.Status, s.Good, s.Label = 200, true, "node"+string(sign)
		}
		s.At, s.Took = at, 5*time.Millisecond
		if s.Good {
			s.Session = probes.FingerprintOf(fmt.Sprint(session))
		}
		t.Add(s)
		s = Sample{SessionOutcome: probes.SessionKept}
		at = at.Add(sample)
	}
	return t
}

// A fixture is a deployment of two nodes, written in signs.
type fixture struct {
	policy     probes.Policy // "": replicated
	method     probes.Method
	sessions   string // of our clients, such as "+1111 +2222"
	newClients string // "node2:22211" is a client whose target node is node2
	direct     string // requests to node1 without the balancer, "1" for any answer
	evidence   string // of the balancer about node1, one sign per interval: "u", "d", "m", "x" for down
	before     string // process ids of the nodes in the first round
	after      string // process ids in the last round, such as "1 2"
	outAtEnd   string // node that no new client of the last round met
	limits     Limits
	lasted     time.Duration // 0: 3 s

	failTimeout time.Duration // 0: nginx's default, 10 s
	hashes      bool          // the balancer hashes clients, so that those of one address meet one node
}

func (f fixture) record() WatchRecord {
	c := &probes.Cluster{
		Name:     "shop",
		Balancer: probes.Balancer{URLs: []*url.URL{{Scheme: "http", Host: "10.0.0.9"}}, Method: f.method, FailTimeout: f.failTimeout},
		Session:  &probes.Session{Path: "/", Policy: probes.PolicyReplicated, Write: "/?value={value}"},
	}
	if f.policy != "" {
		c.Session.Policy = f.policy
	}
	for _, id := range []string{"node1", "node2"} {
		c.Nodes = append(c.Nodes, probes.Node{ID: id, Weight: 1, URL: &url.URL{Scheme: "http", Host: id}})
	}
	lasted := f.lasted
	if lasted == 0 {
		lasted = 3 * time.Second
	}
	r := WatchRecord{
		Cluster: c, Span: checks.Span{From: testTime, To: testTime.Add(lasted)},
		Nodes: map[string]Timeline{}, BalancerStates: map[string][]BalancerState{},
		Before: reportOf(c, testTime.Add(-time.Second), f.before), After: reportOf(c, testTime.Add(lasted), f.after),
	}
	if f.outAtEnd != "" {
		c.Balancer.Method = probes.MethodRoundRobin
		r.After.Traces = newClientsOf("node2", r.To)
	}
	for signs := range strings.FieldsSeq(f.sessions) {
		r.Sessions = append(r.Sessions, WatchedClient{Timeline: timeline(signs)})
	}
	for signs := range strings.FieldsSeq(f.newClients) {
		client := WatchedClient{}
		if target, rest, ok := strings.Cut(signs, ":"); ok {
			client.TargetNode, client.Client, signs = target, "198.51.100.1", rest
		}
		client.Timeline = timeline(signs)
		r.NewClients = append(r.NewClients, client)
	}
	if f.direct != "" {
		r.Nodes["node1"] = timeline(f.direct)
	}
	states := map[rune]probes.ServerState{
		'u': probes.ServerUp, 'd': probes.ServerDraining, 'm': probes.ServerMaintenance, 'x': probes.ServerDown,
	}
	for i, sign := range f.evidence {
		at := testTime.Add(time.Duration(i) * sample)
		r.BalancerStates["node1"] = AddBalancerState(r.BalancerStates["node1"], at, states[sign], fmt.Sprintf("the balancer says node1 is %s", states[sign]))
	}
	return r
}

// reportOf returns a round in which every node is healthy.
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

// newClientsOf returns new clients of a last round that one node answered.
func newClientsOf(node string, at time.Time) (traces []probes.Trace) {
	for i := range 40 {
		first := probes.Exchange{At: at, Status: 200, Label: node, Session: probes.FingerprintOf(fmt.Sprint("last", i))}
		traces = append(traces, probes.Trace{URL: "http://10.0.0.9", Steps: []probes.Step{{Exchange: first}}})
	}
	return traces
}

func (f fixture) judged(t *testing.T) Report {
	t.Helper()
	return Judge(f.record(), f.limits, testTime.Add(time.Hour))
}

// inShort formats a move, such as "node1>node2 kept restart".
func (m Move) inShort() string {
	text := fmt.Sprintf("%s>%s %s %s", m.From, m.To, m.SessionOutcome, m.Cause)
	if m.Allowed {
		text += " allowed"
	}
	return text
}
