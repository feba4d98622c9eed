// Package gate judges a deployment by the outcomes of clients while a cluster is
// changed.
//
// Its input is a record of clients' requests. It determines which sessions moved or
// were lost and why, for how long no request was served, and which guarantees were
// broken. It does no I/O and has no clock: package watch below it holds the sessions
// and writes the record.
package gate

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A Report is the result of the watch of a cluster.
type Report struct {
	Cluster string
	checks.Span
	FinalReport checks.Report // the last round

	Requests, Failed int // through the balancer, without quick retries
	Opened           int // sessions opened
	Slowest          time.Duration

	Clients []ClientReport
	Moves   []Move // the first moves, sorted by time
	Moved   int    // number of answers to a session by another node
	Lost    int    // number of sessions that were gone or stale

	Session   Outage // longest outage of a session; zero: none
	NewClient Outage // longest outage of a new client; zero: none

	Nodes      []NodeReport
	Guarantees []Guarantee
	Doubts     []phrase.Phrase // what could not be watched and why, one sentence each
}

// maxMoves limits the moves of a report.
const maxMoves = 1000

// A judge holds a record with the values derived from it that all questions need.
type judge struct {
	WatchRecord
	limits        Limits
	before, after checks.Identity
	initialReport checks.Report
	finalReport   checks.Report // the first round while there is no later one
}

func newJudge(r WatchRecord, t Limits) *judge {
	j := &judge{
		WatchRecord: r, limits: t, initialReport: checks.Judge(r.Before),
		before: checks.Identify(r.Cluster, r.Before.Nodes), after: checks.Identify(r.Cluster, r.After.Nodes),
	}
	j.finalReport = j.initialReport
	if !r.After.Started.IsZero() {
		r.After.Past = j.initialReport.Timelines
		j.finalReport = checks.Judge(r.After)
	}
	return j
}

// Judge returns the report of a record, by the guarantees of the cluster and the limits
// of this deployment. A record that is not finished is judged as of now.
func Judge(r WatchRecord, t Limits, now time.Time) Report {
	if r.To.IsZero() {
		r.To = now
	}
	judge := newJudge(r, t)
	out := Report{Cluster: r.Cluster.Name, Span: r.Span, FinalReport: judge.finalReport, Doubts: judge.doubts()}
	for _, reason := range r.Impaired {
		out.Doubts = append(out.Doubts, phrase.New("stickwatch itself could not probe for a while: %s", reason))
	}
	var sessions, newClients []Outage
	for _, client := range r.Sessions {
		sessions = append(sessions, judge.outagesOf(client)...)
		out.add(judge.clientReport(client, KindSession))
	}
	for _, client := range r.NewClients {
		newClients = append(newClients, judge.outagesOf(client)...)
		out.add(judge.clientReport(client, KindNewClient))
	}
	out.Session, out.NewClient = longest(sessions), longest(newClients)
	out.Moves = judge.moves()
	out.Guarantees = judge.guarantees(out)
	for _, m := range out.Moves {
		out.Lost += count(m.Lost())
		out.Moved += count(m.Moved())
	}
	out.Moves = out.Moves[:min(len(out.Moves), maxMoves)]
	out.Nodes = judge.nodeReports()
	return out
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (r *Report) add(s ClientReport) {
	r.Requests += s.Requests
	r.Failed += s.Failed
	r.Opened += s.Opened
	r.Slowest = max(r.Slowest, s.Slowest)
	r.Clients = append(r.Clients, s)
}

// outagesOf returns the outages of a watched client, each with the node that its client
// was on before.
func (j *judge) outagesOf(client WatchedClient) []Outage {
	list := client.Timeline.outages(j.To)
	for i := range list {
		list[i].Node = client.TargetNode
		for _, run := range client.Timeline {
			if run.First.Good && run.First.At.Before(list[i].FirstBad) {
				list[i].Node = cmp.Or(j.nodeOf(run.First.Label), list[i].Node)
			}
		}
	}
	return list
}

// policy returns the session policy.
func (j *judge) policy() probes.Policy {
	if j.Cluster.Session == nil {
		return probes.PolicyNone
	}
	return j.Cluster.Session.Policy
}

func (j *judge) confidence() float64 { return cmp.Or(j.limits.Confidence, checks.DefaultConfidence) }

// doubts returns the nodes that hold no own session although they could, and the
// answers that do not identify their node.
func (j *judge) doubts() []phrase.Phrase {
	if j.policy() == probes.PolicyNone {
		return nil
	}
	met := make(map[string]bool)
	for _, client := range j.Sessions {
		for _, run := range client.Timeline {
			if run.First.Good {
				met[j.nodeOf(run.First.Label)] = true
			}
		}
	}
	if len(met) == 0 || (len(met) == 1 && met[""]) {
		if len(met) == 0 {
			return []phrase.Phrase{phrase.New("no session could be held: the balancer answered none of our clients")}
		}
		return []phrase.Phrase{phrase.New("answers do not identify their node, so moves cannot be detected")}
	}
	var list []phrase.Phrase
	for _, n := range j.initialReport.Nodes {
		if n.Up && n.InRotation != checks.No && !met[n.Node] && !j.standby(n.Node) {
			list = append(list, phrase.New("no session could be held on %s: none of our clients was sent there", n.Node))
		}
	}
	return list
}

// standby reports whether a node is not supposed to have clients.
func (j *judge) standby(node string) bool {
	return slices.ContainsFunc(j.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node && (n.Down || n.Backup) })
}

// Verdict summarises the report as a verdict.
func (r Report) Verdict() checks.Verdict {
	verdict := checks.Healthy
	unknown := len(r.Doubts) > 0
	for _, guarantee := range r.Guarantees {
		switch {
		case guarantee.Kept == checks.No && guarantee.Severity == checks.Critical:
			return checks.Failing
		case guarantee.Kept == checks.No:
			verdict = checks.Degraded
		case guarantee.Kept == checks.Unknown:
			unknown = true
		}
	}
	if unknown {
		return checks.Inconclusive
	}
	return verdict
}

// A Summary is the number of users affected.
type Summary struct {
	Sessions      int           // sessions watched; 0: unknown whether any was lost
	Lost          int           // sessions that were gone or stale
	Moved         int           // answers to a session by another node, lost or not
	LongestOutage time.Duration // of any client, from one good answer to the next; 0: none
	Incomplete    bool          // something could not be watched
}

// Summary summarises the report.
func (r Report) Summary() Summary {
	s := Summary{
		Lost: r.Lost, Moved: r.Moved, LongestOutage: max(r.Session.AtMost(), r.NewClient.AtMost()), Incomplete: len(r.Doubts) > 0,
	}
	for _, client := range r.Clients {
		s.Sessions += count(client.Kind == KindSession && client.Opened > 0)
	}
	return s
}

// Add returns the summary of two clusters.
func (s Summary) Add(t Summary) Summary {
	return Summary{
		Sessions: s.Sessions + t.Sessions, Lost: s.Lost + t.Lost, Moved: s.Moved + t.Moved,
		LongestOutage: max(s.LongestOutage, t.LongestOutage),
		Incomplete:    s.Incomplete || t.Incomplete || (s.Sessions == 0) != (t.Sessions == 0),
	}
}
