package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// overviewView is the page at /: in this order what is wrong, where, and how
// everything else is.
type overviewView struct {
	Mark      mark
	Headline  string
	Since     moment         // since when the headline has been true; ISO "": not known
	Self      selfView       // what is wrong with stickwatch itself
	Incidents []incidentView // open, the most severe and then the oldest first
	Further   []incidentView // open too, but more than anybody reads at once
	Quiet     []incidentView // open, though nothing of them holds now
	Recent    []incidentView // over, newest first
	Silences  []silenceView
	Clusters  []clusterView // the worst first, else as configured
	Broken    bool          // incidents or silences could not be read
}

// Bounds of the overview's lists.
const (
	mostOpen   = 20
	mostCards  = 6 // with evidence and buttons; of more, a line each
	mostRecent = 5
	// mostUnfolded is how many clusters fit on a screen or two; beyond it, those
	// with which nothing is wrong are folded.
	mostUnfolded = 6
)

func (s *Server) overview(r *http.Request, p *page) error {
	v := p.viewer
	pictures := slices.Clone(s.config.Pictures.Pictures())
	slices.SortStableFunc(pictures, func(a, b Picture) int {
		return rank(markOfVerdict(b.Report.Verdict)) - rank(markOfVerdict(a.Report.Verdict))
	})
	view := overviewView{}
	view.Mark, view.Headline = v.headline(pictures)
	view.Since = v.moment(since(pictures, view.Mark))
	view.Self = s.self(r.Context(), v)
	if err := s.trouble(r.Context(), &view, v); err != nil {
		s.config.Logger.Error("reading incidents for a page", "err", err)
		view.Broken = true
	}
	for _, picture := range pictures {
		c := v.cluster(picture, s.memory.brief(r.Context(), picture))
		c.Folded = len(pictures) > mostUnfolded && c.Mark == good
		if view.tells(c.Link) {
			c.Wrong, c.More = nil, 0
		}
		view.Clusters = append(view.Clusters, c)
	}
	p.Template, p.Content, p.Tab, p.Icon = "overview", view, "overview", view.Mark
	p.Title = view.Headline
	return nil
}

// tells reports whether an incident above tells what is wrong with a cluster.
func (o *overviewView) tells(cluster string) bool {
	of := func(i incidentView) bool { return i.Link == cluster }
	return slices.ContainsFunc(o.Incidents, of) || slices.ContainsFunc(o.Further, of)
}

// trouble fills in incidents and silences. A page without them still tells the
// present.
func (s *Server) trouble(ctx context.Context, view *overviewView, v viewer) error {
	open, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	recent, err := s.incidents(ctx, IncidentQuery{State: alerting.Resolved, Limit: mostRecent})
	if err != nil {
		return err
	}
	silences, err := s.config.Past.Silences(ctx, v.now)
	if err != nil {
		return err
	}
	holding, quiet := apart(open)
	cards := min(len(holding), mostCards)
	view.Incidents, view.Further, view.Quiet = v.incidents(holding[:cards]), v.incidents(holding[cards:]), v.incidents(quiet)
	view.Recent, view.Silences = v.incidents(recent), v.silences(silences, "")
	return nil
}

// apart parts incidents that hold from those that may only come again.
func apart(open []alerting.Incident) (holding, quiet []alerting.Incident) {
	for _, i := range open {
		if i.Holds() {
			holding = append(holding, i)
		} else {
			quiet = append(quiet, i)
		}
	}
	return holding, quiet
}

// open returns the incidents of a cluster, "" for all, that are not resolved.
func (s *Server) open(ctx context.Context, cluster string) ([]alerting.Incident, error) {
	firing, err := s.incidents(ctx, IncidentQuery{Cluster: cluster, State: alerting.Firing, Limit: mostOpen})
	if err != nil {
		return nil, err
	}
	pending, err := s.incidents(ctx, IncidentQuery{Cluster: cluster, State: alerting.Pending, Limit: mostOpen})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(firing, pending)
	slices.SortStableFunc(all, func(a, b alerting.Incident) int {
		if a.Severity != b.Severity {
			return rank(markOfSeverity(b.Severity)) - rank(markOfSeverity(a.Severity))
		}
		return a.Started.Compare(b.Started)
	})
	return all[:min(len(all), mostOpen)], nil
}

// headline says in one sentence how things are.
func (v viewer) headline(pictures []Picture) (mark, string) {
	count := map[checks.Verdict]int{}
	for _, p := range pictures {
		count[verdictOf(p)]++
	}
	all := len(pictures)
	switch {
	case all == 0:
		return unsure, v.say("No cluster is configured")
	case count[checks.Failing] > 0:
		return trouble, v.counted(pictures, checks.Failing, "%s is failing", "%d of %d clusters are failing")
	case count[checks.Degraded] > 0:
		return worse, v.counted(pictures, checks.Degraded, "%s is degraded", "%d of %d clusters are degraded")
	case count[checks.Healthy] == all && all == 1:
		return good, v.say("%s is healthy", word(pictures[0].Cluster.Name))
	case count[checks.Healthy] == all:
		return good, v.say("All %d clusters are healthy", all)
	default:
		return unsure, v.counted(pictures, checks.Inconclusive, "%s cannot be judged", "%d of %d clusters cannot be judged")
	}
}

// since when a headline of a mark has been true: since the first cluster of that
// mark came to it, or since the last became well. Zero: it is not known.
func since(pictures []Picture, m mark) (since time.Time) {
	for _, p := range pictures {
		switch {
		case markOfVerdict(p.Report.Verdict) != m:
		case p.Since.IsZero():
			return time.Time{}
		case since.IsZero(), m == good && p.Since.After(since), m != good && p.Since.Before(since):
			since = p.Since
		}
	}
	return since
}

// verdictOf a cluster of which no round has been taken is inconclusive.
func verdictOf(p Picture) checks.Verdict { return cmp.Or(p.Report.Verdict, checks.Inconclusive) }

// mostNamed is how many clusters a headline names.
const mostNamed = 4

// counted names the clusters of a verdict, and counts them where there are
// several.
func (v viewer) counted(pictures []Picture, verdict checks.Verdict, one, several string) string {
	var names []string
	for _, p := range pictures {
		if verdictOf(p) == verdict {
			names = append(names, word(p.Cluster.Name))
		}
	}
	if len(names) == 1 {
		return v.say(one, names[0])
	}
	said := v.say(several, len(names), len(pictures))
	if len(names) <= mostNamed {
		said += v.say(": ") + strings.Join(names, v.say(", "))
	}
	return said
}
