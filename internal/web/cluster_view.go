package web

import (
	"net/netip"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A clusterView is a cluster as pages show it.
type clusterView struct {
	Name     string
	Link     string
	Headline string
	Folded   bool // nothing about it needs to be seen at once
	Mark     mark
	Verdict  string
	Since    moment
	Seen     moment
	Stale    bool // the newest round is old
	Doubts   []string
	Facts    []fact
	Rows     []row
	Window   string    // how far back the rows' strips reach
	Calendar *calendar // of the balancer; nil: nothing is known
	Sessions string    // uptime of sessions, all owners together; "": nothing is known
	Wrong    *branch   // the first thing to look at; nil: nothing is wrong
	More     int       // further things that are wrong
	NoPast   bool      // the history could not be read
	CanProbe bool
	CanWrite bool
}

// A fact is one thing worth knowing about a cluster as a whole.
type fact struct {
	Name string
	verdictCell
}

// stale is the age from which a round is no longer news: every probe has its
// turn every fifteen seconds as a rule, and a round may take a while.
const stale = 2 * time.Minute

func (v viewer) cluster(p Picture, r *record) clusterView {
	c := clusterView{
		Name:    p.Cluster.Name,
		Link:    clusterLink(p.Cluster.Name),
		Mark:    markOfVerdict(p.Report.Verdict),
		Verdict: v.say(string(verdictOf(p))),
		Since:   v.moment(p.Since),
		Seen:    v.moment(p.Report.Started),
		Stale:   !p.Report.Started.IsZero() && v.now.Sub(p.Report.Started) > stale,
		Facts:   v.facts(p.Report), Rows: v.rows(p, r), Window: v.window(r.span),
		NoPast: r.err != nil, CanProbe: v.canProbe && v.canWrite, CanWrite: v.canWrite,
	}
	for _, d := range p.Report.Doubts {
		c.Doubts = append(c.Doubts, v.sentence(d))
	}
	if p.Report.Started.IsZero() {
		c.Doubts = []string{v.say("no round has been taken yet")}
	}
	for _, u := range r.uptimes {
		if days, ok := r.days[u.Target]; ok && u.Kind == checks.TargetBalancer {
			c.Calendar = new(v.calendar(days, u))
			break
		}
	}
	if u := checks.SessionUptime(r.uptimes); u.Probes > 0 {
		c.Sessions = v.say("Session uptime, %d days", shownDays) + v.say(": ") + v.percent(u.Ratio)
	}
	_, c.Headline = v.headline([]Picture{p})
	c.wrong(v, p)
	return c
}

// wrong finds the first cause worth telling: findings come causes first, the
// most severe first.
func (c *clusterView) wrong(v viewer, p Picture) {
	for _, m := range standing(p) {
		if m.ExplainedBy != "" || !m.Severity.AtLeast(checks.Warning) {
			continue
		}
		if c.Wrong == nil {
			c.Wrong = new(v.branch(m))
		} else {
			c.More++
		}
	}
}

func (v viewer) facts(r checks.Report) []fact {
	var facts []fact
	for _, b := range r.Balancers {
		facts = append(facts, fact{v.balancerName(b, len(r.Balancers)), v.balancer(b)})
	}
	if r.Session.Policy != "" && r.Session.Policy != probes.PolicyNone {
		facts = append(facts, fact{v.say("Sessions"), v.sticky(r.Session)})
	}
	for _, d := range r.Dependencies {
		facts = append(facts, fact{word(d.Name), v.dependency(d)})
	}
	return facts
}

// balancerName tells balancers apart where there are several.
func (v viewer) balancerName(b probes.BalancerObservation, several int) string {
	if several == 1 || b.Address == (netip.AddrPort{}) {
		return v.say("Balancer")
	}
	return v.say("Balancer") + " " + b.Address.String()
}

func (v viewer) balancer(b probes.BalancerObservation) verdictCell {
	switch {
	case !b.Primary.Answered():
		return verdictCell{trouble, v.say("down"), line(b.Primary.Error)}
	case b.Primary.Status >= 500:
		return verdictCell{trouble, v.say("answers %d", b.Primary.Status), line(b.Primary.Error)}
	default:
		return verdictCell{Mark: good, Word: v.say("up") + " " + v.latency(b.Primary.Timing.Total)}
	}
}

func (v viewer) sticky(s checks.SessionReport) verdictCell {
	why := v.sentence(s.Reason)
	switch {
	case s.Policy == probes.PolicyShared && s.Shared == checks.Yes:
		return verdictCell{good, v.say("shared"), why}
	case s.Policy == probes.PolicyShared && s.Shared == checks.No:
		return verdictCell{trouble, v.say("not shared"), why}
	case s.Sticky == checks.Yes:
		return verdictCell{good, v.say("stick"), why}
	case s.Sticky == checks.No && s.Policy != probes.PolicyShared:
		return verdictCell{trouble, v.say("do not stick"), why}
	default:
		return verdictCell{unsure, v.say("unknown"), why}
	}
}

func (v viewer) dependency(d checks.DependencyReport) verdictCell {
	switch d.Up {
	case checks.Yes:
		return verdictCell{Mark: good, Word: v.say("up")}
	case checks.No:
		return verdictCell{trouble, v.say("down"), line(d.Error)}
	default:
		return verdictCell{unsure, v.say("unknown"), line(d.Error)}
	}
}
