package checks_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A round is a fixture that tests modify.
type round struct {
	checks.Round
	clients int // number of clients so far: each has a session of its own
}

var (
	began   = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	lb      = netip.MustParseAddrPort("192.0.2.10:80")
	otherLB = netip.MustParseAddrPort("192.0.2.11:80")
	own     = netip.MustParseAddr("192.0.2.77") // address of this prober, in the balancer's network
)

const (
	lbURL    = "http://shop.example"
	testPage = "/cluster/test"
)

// cluster returns a cluster of n nodes, node1 and so on, behind a balancer with a
// sticky cookie, with the policy sticky.
func cluster(n int) *probes.Cluster {
	c := &probes.Cluster{
		Name:    "shop",
		Session: &probes.Session{Path: testPage, Policy: probes.PolicySticky},
		Limits:  probes.DefaultLimits,
	}
	c.Balancer = probes.Balancer{URLs: []*url.URL{must.URL(lbURL)}, Method: probes.MethodCookie, MaxFails: 1, FailTimeout: 10 * time.Second}
	for i := range n {
		c.Nodes = append(c.Nodes, probes.Node{
			ID: fmt.Sprintf("node%d", i+1), URL: must.URL(fmt.Sprintf("http://10.0.0.%d:8080", i+1)), Weight: 1,
		})
	}
	return c
}

// empty returns a round without clients: n nodes and the balancer answer.
func empty(n int) *round {
	r := &round{Round: checks.Round{Cluster: cluster(n), Started: began, Duration: time.Second, Confidence: 0.999}}
	for _, node := range r.Cluster.Nodes {
		primary := page(testPage, 200)
		primary.Label = node.ID
		r.Nodes = append(r.Nodes, probes.NodeObservation{Node: node.ID, Primary: primary, Session: &primary, Label: node.ID})
	}
	r.Balancers = []probes.BalancerObservation{{URL: lbURL, Address: lb, Primary: page(testPage, 200)}}
	return r
}

// healthy returns a round of three nodes without problems: each node answered one
// client, and its seven follow-ups.
func healthy() *round {
	r := empty(3)
	for _, n := range r.Cluster.Nodes {
		r.visit(slices.Repeat([]string{n.ID}, 8)...)
	}
	return r
}

// visit sends a client through the balancer. The first label is of the node that
// opens its session, the others of those that answer its follow-ups. The follow-ups
// of all clients are concurrent.
func (r *round) visit(labels ...string) *probes.Trace {
	tr := probes.Trace{URL: lbURL, Balancer: lb}
	id := probes.Fingerprint(fmt.Sprintf("s:%08d", r.clients))
	r.clients++
	for i, label := range labels {
		step := probes.Step{Kind: probes.StepFollow, Exchange: page(testPage, 200)}
		if i == 0 {
			step.Kind = probes.StepFirst
		}
		step.At = began.Add(time.Duration(i)*10*time.Millisecond + time.Duration(len(r.Traces))*100*time.Microsecond)
		step.Label, step.Session, step.ShowsSession = label, id, true
		tr.Steps = append(tr.Steps, step)
	}
	r.Traces = append(r.Traces, tr)
	return &r.Traces[len(r.Traces)-1]
}

// newClients sends n clients without follow-ups.
func (r *round) newClients(n int, label string) {
	for range n {
		r.visit(label)
	}
}

// hashed makes the balancer hash the address that clients present, and sends it a
// client for each node, with seven follow-ups; the servers in without are ejected.
func hashed(n int, without ...int) *round {
	r := empty(n)
	r.Cluster.Balancer.Method, r.Cluster.Balancer.ClientIPHeader = probes.MethodIPHash, "X-Stickwatch-Client"
	for i := range r.Cluster.Nodes {
		r.hashTo(i, 0, without...)
		if slices.Contains(without, i) {
			r.hashTo(i, 1, without...) // a second client of the node: another one answered the first
		}
	}
	return r
}

// hashTo sends the nth client that the hash sends to a node.
func (r *round) hashTo(node, nth int, without ...int) *probes.Trace {
	picker, _ := checks.Oracle(r.Cluster)
	client, _ := balance.ClientFor(picker, node, nth)
	at, _ := picker.Pick(client.String(), without...)
	tr := r.visit(slices.Repeat([]string{r.Cluster.Nodes[at].ID}, 11)...)
	tr.Client, tr.TargetNode = client.String(), r.Cluster.Nodes[node].ID
	return tr
}

// node returns the direct observation of a node.
func (r *round) node(id string) *probes.NodeObservation {
	i := slices.IndexFunc(r.Nodes, func(o probes.NodeObservation) bool { return o.Node == id })
	return &r.Nodes[i]
}

// say sets the status of nodes.
func (r *round) say(status probes.StatusReport, ids ...string) {
	for _, id := range ids {
		r.node(id).Status = &status
	}
}

// direct makes a node answer its primary page and session page with ex.
func (r *round) direct(id string, ex probes.Exchange) {
	n := r.node(id)
	n.Primary, n.Session, n.Label = ex, &ex, ""
}

// through adds another address of the balancer.
func (r *round) through(address netip.AddrPort) {
	r.Balancers = append(r.Balancers, probes.BalancerObservation{URL: lbURL, Address: address, Primary: page(testPage, 200)})
}

// leave removes the clients of a node from the round.
func (r *round) leave(node string) {
	r.Traces = slices.DeleteFunc(r.Traces, func(tr probes.Trace) bool { return tr.First().Label == node })
}

// down makes nodes refuse connections, and removes their clients.
func (r *round) down(ids ...string) {
	for _, id := range ids {
		r.direct(id, refused(testPage))
		r.leave(id)
	}
}

// eachStep changes every answer of a node except those that open sessions.
func (r *round) eachStep(node string, change func(*probes.Step)) {
	for w := range r.Traces {
		for i := range r.Traces[w].Steps {
			if s := &r.Traces[w].Steps[i]; i > 0 && s.Label == node {
				change(s)
			}
		}
	}
}

func page(path string, status int) probes.Exchange {
	return probes.Exchange{At: began, Path: path, Status: status, LocalAddress: own, ShowsSession: status < 400}
}

func refused(path string) probes.Exchange {
	return probes.Exchange{At: began, Path: path, Failure: probes.FailureRefused, Error: "connection refused"}
}

// hung returns an exchange that was connected and got no answer in time.
func hung(path string) probes.Exchange {
	return probes.Exchange{At: began, Path: path, LocalAddress: own, Failure: probes.FailureTimeout, Error: "no answer within 5s"}
}

// malformed returns an exchange whose answer is not HTTP.
func malformed(path string) probes.Exchange {
	return probes.Exchange{At: began, Path: path, LocalAddress: own, Failure: probes.FailureMalformed, Error: "malformed HTTP status code"}
}

func cancelled(path string) probes.Exchange {
	return probes.Exchange{At: began, Path: path, Failure: probes.FailureCancelled, Error: "stickwatch was interrupted"}
}

// A spec is a round with all findings that it must have, in order. A finding is
// written as "severity key", followed by its nodes if they differ from the key's, and
// by the finding that explains it.
type spec struct {
	name  string
	round func() *round
	want  []string
}

// changed returns a changed healthy round.
func changed(change func(*round)) func() *round { return from(healthy, change) }

func from(base func() *round, change func(*round)) func() *round {
	return func() *round {
		r := base()
		change(r)
		return r
	}
}

func line(f checks.Finding) string {
	subject := strings.TrimSpace(f.Node + " " + f.Target) // a Key of a finding about the whole cluster has no node
	if f.Dependency != "" {
		subject = f.Dependency
	}
	text := fmt.Sprintf("%s %s", f.Severity, f.Code)
	if subject != "" {
		text += "/" + subject
	}
	if len(f.Nodes) > 0 && f.Node == "" {
		text += fmt.Sprintf(" %v", f.Nodes)
	}
	if f.ExplainedBy != "" {
		text += " <- " + f.ExplainedBy
	}
	return text
}

func lines(r checks.Report) []string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, line(f))
	}
	return lines
}

func (s spec) check(t *testing.T) {
	t.Helper()
	r := s.round().Round
	report := checks.Judge(r)
	if diff := cmp.Diff(s.want, lines(report)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, problem := range unsound(r, report) {
		t.Error(problem)
	}
}

// unsound returns the rules that a report breaks, which must hold for every round.
func unsound(r checks.Round, report checks.Report) []string {
	var problems []string
	wrong := func(f checks.Finding, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s: %s", f.Key(), fmt.Sprintf(format, args...)))
	}
	if leaked := slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked }); r.Void.ID == "" && checks.LeaksSessions(r) != leaked {
		problems = append(problems, fmt.Sprintf("LeaksSessions is %t, and Judge found %t", !leaked, leaked))
	}
	keys := make(map[string]int)
	for i, f := range report.Findings {
		recorded := append([]string{f.Summary.String(), f.Remedy.String()}, texts(f.Evidence)...)
		switch {
		case !checks.Known(f.Code):
			wrong(f, "no such code")
		case !strings.Contains(entry(f.Code).Severity, string(f.Severity)):
			wrong(f, "severity %q, want %s", f.Severity, entry(f.Code).Severity)
		case len(f.Evidence) == 0 || slices.Contains(recorded, ""):
			wrong(f, "summary, remedy and evidence must be there: got %q", recorded)
		case len(f.Evidence) > 6:
			wrong(f, "%d lines of evidence", len(f.Evidence))
		case slices.ContainsFunc(recorded, func(s string) bool { return len(s) > 2*probes.MaxError || s != probes.Clean(s, len(s)+4) }):
			wrong(f, "a text is too long or unclean: %q", recorded)
		case f.Node != "" && !slices.Contains(f.Nodes, f.Node):
			wrong(f, "node %q is not among its nodes %q", f.Node, f.Nodes)
		case !slices.IsSorted(positions(r.Cluster, f.Nodes)):
			wrong(f, "nodes %q are not in the order of the configuration", f.Nodes)
		}
		if f.ExplainedBy != "" {
			if at, ok := keys[f.ExplainedBy]; !ok && !remembered(r.Past, f.ExplainedBy) || at >= i && ok {
				wrong(f, "explained by %q, which does not stand before it", f.ExplainedBy)
			}
		}
		if _, twice := keys[f.Key()]; twice {
			wrong(f, "found twice")
		}
		keys[f.Key()] = i
	}
	for _, text := range untranslated(report) {
		problems = append(problems, "not in Chinese: "+text)
	}
	return problems
}

// remembered reports whether a timeline names a finding of an earlier round as a cause.
func remembered(past *checks.Timelines, key string) bool {
	if past == nil {
		return false
	}
	for _, m := range past.Nodes {
		if slices.ContainsFunc(m.Disruptions, func(d checks.Disruption) bool { return d.Finding == key }) {
			return true
		}
	}
	return past.Balancer.Remapped.Cause == key
}

// entry returns the catalogue entry of a code.
func entry(code checks.Code) checks.Entry {
	return checks.Catalogue[slices.IndexFunc(checks.Catalogue, func(e checks.Entry) bool { return e.Code == code })]
}

// positions returns the positions of nodes in the configuration; -1 for an unknown one.
func positions(c *probes.Cluster, ids []string) []int {
	var list []int
	for _, id := range ids {
		list = append(list, slices.IndexFunc(c.Nodes, func(n probes.Node) bool { return n.ID == id }))
	}
	return list
}

// codeOf returns the code in a line of a spec.
func codeOf(line string) checks.Code {
	_, key, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(key, "/")
	code, _, _ = strings.Cut(code, " ")
	return checks.Code(code)
}

// texts returns messages in English.
func texts(messages []checks.Message) []string {
	var list []string
	for _, m := range messages {
		list = append(list, m.String())
	}
	return list
}
