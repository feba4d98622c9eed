package gate

import (
	"cmp"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Report is what a watch of a cluster came to.
type Report struct {
	Cluster string
	checks.Span
	Policy  probes.Policy
	Picture checks.Report // at the end

	Requests, Failed int // through the balancer, without quick retries
	Opened           int // sessions
	Slowest          time.Duration

	Lanes     []Story
	Moves     []Move // the first of them, in order of time
	Moved     int    // sessions that another node answered, how often
	Lost      int    // sessions that were gone, or came back older
	Scattered int    // answers by yet another node where any may answer

	Session  Outage // the longest that a session saw; zero: none
	Newcomer Outage // the longest that a new client saw

	Nodes    []Passage
	Promises []Promise
	Doubts   []string // what could not be watched, and why: one sentence each
}

// maxMoves bounds how many moves a report lists.
const maxMoves = 1000

// A judge is a record with what every question asks of it.
type judge struct {
	Record
	terms         Terms
	before, after checks.Identity
	opening       checks.Report
	closing       checks.Report // the opening one, as long as there is no other
}

func newJudge(r Record, t Terms) *judge {
	j := &judge{
		Record: r, terms: t, opening: checks.Judge(r.Before),
		before: checks.Identify(r.Cluster, r.Before.Nodes), after: checks.Identify(r.Cluster, r.After.Nodes),
	}
	j.closing = j.opening
	if !r.After.Started.IsZero() {
		r.After.Past = j.opening.History
		j.closing = checks.Judge(r.After)
	}
	return j
}

// Judge tells what a record means, by the promises that a cluster makes anyway
// and the terms of this deployment. A record that goes on is judged by what is
// known, as of now.
func Judge(r Record, t Terms, now time.Time) Report {
	if r.To.IsZero() {
		r.To = now
	}
	j := newJudge(r, t)
	out := Report{Cluster: r.Cluster.Name, Span: r.Span, Policy: j.policy(), Picture: j.closing, Doubts: j.doubts()}
	var sessions, newcomers []Outage
	for _, lane := range r.Sessions {
		sessions = append(sessions, j.outagesOf(lane)...)
		out.add(j.story(lane, KindSession))
	}
	for _, lane := range r.Newcomers {
		newcomers = append(newcomers, j.outagesOf(lane)...)
		out.add(j.story(lane, KindNewcomer))
	}
	out.Session, out.Newcomer = longest(sessions), longest(newcomers)
	out.Moves, out.Scattered = j.moves()
	out.Promises = j.promises(out)
	for _, m := range out.Moves {
		out.Lost += count(m.Lost())
		out.Moved += count(m.Moved())
	}
	out.Moves = out.Moves[:min(len(out.Moves), maxMoves)]
	out.Nodes = j.passages()
	return out
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (r *Report) add(s Story) {
	r.Requests += s.Requests
	r.Failed += s.Failed
	r.Opened += s.Opened
	r.Slowest = max(r.Slowest, s.Slowest)
	r.Lanes = append(r.Lanes, s)
}

// outagesOf are a lane's, with the node that its client was on before.
func (j *judge) outagesOf(lane Lane) []Outage {
	list := lane.Track.outages(j.To)
	for i := range list {
		list[i].Node = lane.Expected
		for _, s := range lane.Track {
			if s.First.Good && s.First.At.Before(list[i].FirstBad) {
				list[i].Node = cmp.Or(j.node(s.First.Label), list[i].Node)
			}
		}
	}
	return list
}

// policy is what users were promised about their session.
func (j *judge) policy() probes.Policy {
	if j.Cluster.Session == nil {
		return probes.PolicyNone
	}
	return j.Cluster.Session.Policy
}

func (j *judge) confidence() float64 { return cmp.Or(j.terms.Confidence, checks.DefaultConfidence) }

// doubts are the nodes that hold no session of ours, though they could, and
// answers that do not tell who gave them.
func (j *judge) doubts() []string {
	if j.policy() == probes.PolicyNone {
		return nil
	}
	met := make(map[string]bool)
	for _, lane := range j.Sessions {
		for _, s := range lane.Track {
			if s.First.Good {
				met[j.node(s.First.Label)] = true
			}
		}
	}
	if len(met) == 0 || (len(met) == 1 && met[""]) {
		if len(met) == 0 {
			return []string{"no session could be held: the balancer answered none of our clients"}
		}
		return []string{"answers do not tell which node gave them, so that moves cannot be seen"}
	}
	var list []string
	for _, n := range j.opening.Nodes {
		if n.Up && n.InRotation != checks.No && !met[n.Node] && !j.idle(n.Node) {
			list = append(list, "no session could be held on "+n.Node+": none of our clients was sent there")
		}
	}
	return list
}

// idle reports whether a node is not meant to have clients.
func (j *judge) idle(node string) bool {
	return slices.ContainsFunc(j.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node && (n.Down || n.Backup) })
}

// Verdict is what came of the watch in one word.
func (r Report) Verdict() checks.Verdict {
	verdict := checks.Healthy
	unknown := len(r.Doubts) > 0
	for _, p := range r.Promises {
		switch {
		case p.Kept == checks.No && p.Severity == checks.Critical:
			return checks.Failing
		case p.Kept == checks.No:
			verdict = checks.Degraded
		case p.Kept == checks.Unknown:
			unknown = true
		}
	}
	if unknown {
		return checks.Inconclusive
	}
	return verdict
}
