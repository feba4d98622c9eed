package checks

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A SiteView is how a cluster is seen from one site.
type SiteView struct {
	Site   string
	Recent bool // its report is; the others count for nothing
	Report Report
	Active []ActiveFinding
}

// A SiteLedger decides what is wrong with a cluster that is watched from several sites. What more
// than half of the reporting sites see is a finding. What fewer see may be the network between
// them and the cluster, and is a SiteDisagreement if it lasts, unless an answer of the cluster proves
// it. If no site reports, what is active stays active. So it does for a while after the start
// if half of the sites or fewer report. A SiteLedger is not safe for concurrent use.
type SiteLedger struct {
	settle time.Duration
	start  time.Time // when a site first reported
	active []ActiveFinding
	alone  map[string]minority // by the key of a finding
}

// A minority is a finding that too few sites see.
type minority struct {
	since time.Time
	sites int
}

// NewSiteLedger returns a ledger in which the given findings are active. settle is how long sites may
// differ before they disagree. If it is longer than a silent site counts as reporting, a disagreement does not
// become a finding when the sites that contradict it fall silent, unless most still report.
func NewSiteLedger(settle time.Duration, active ...ActiveFinding) *SiteLedger {
	return &SiteLedger{settle: settle, active: active, alone: make(map[string]minority)}
}

// Active returns the findings that are active.
func (l *SiteLedger) Active() []ActiveFinding { return slices.Clone(l.active) }

// A sighting is a finding with the sites that see it.
type sighting struct {
	all []ActiveFinding // one for each site that sees it, in their order
	by  []string        // these sites, and those that see the same at addresses of their own
}

// Update decides on what the sites see at a moment, and returns what has changed.
func (l *SiteLedger) Update(at time.Time, views []SiteView) []Change {
	reporting := reportingViews(views)
	if len(reporting) == 0 {
		return nil
	}
	if l.start.IsZero() {
		l.start = at
	}
	few := 2*len(reporting) <= len(views)
	wait := few && at.Sub(l.start) < l.settle // others may report soon, too
	seen, keys := sightings(reporting)
	agreed := make(map[string]bool)
	alone := make(map[string]minority)
	for _, key := range keys {
		s := seen[key]
		proven := s.all[0].Code.has(provenAnywhere)
		before, wasAlone := l.alone[key]
		if !wasAlone && !l.isActive(key) {
			before, wasAlone = l.contradictedBefore(s)
		}
		contradicted := !proven && few && wasAlone && at.Sub(before.since) >= l.settle && len(s.by) <= before.sites
		switch {
		case contradicted || len(s.by) < needed(s.all[0].Code, len(reporting)):
			if !wasAlone {
				before.since = at
			}
			alone[key] = minority{before.since, max(before.sites, len(s.by))}
		case !wait || l.isActive(key) || proven:
			agreed[key] = true
		}
	}
	l.alone = alone
	var next []ActiveFinding
	for _, key := range keys {
		if agreed[key] {
			next = append(next, l.agree(seen[key], seen, agreed, reporting))
		}
	}
	if wait {
		next = append(next, slices.DeleteFunc(l.Active(), func(f ActiveFinding) bool { return agreed[f.Key()] })...)
	} else {
		next = append(next, l.disagreements(at, reporting, agreed)...)
	}
	return l.replace(at, next)
}

func (l *SiteLedger) activeFinding(key string) (f ActiveFinding, is bool) {
	if at := slices.IndexFunc(l.active, func(f ActiveFinding) bool { return f.Key() == key }); at >= 0 {
		return l.active[at], true
	}
	return f, false
}

func (l *SiteLedger) isActive(key string) bool {
	_, is := l.activeFinding(key)
	return is
}

// contradictedBefore returns since when a finding has been contradicted, if it had long been when the
// ledger started: it was old, and the disagreement of each site that sees it is active.
func (l *SiteLedger) contradictedBefore(s sighting) (before minority, is bool) {
	for _, site := range s.by {
		if !l.isActive(Finding{Code: SiteDisagreement, Target: site}.Key()) {
			return minority{}, false
		}
	}
	for _, f := range s.all {
		if l.start.Sub(f.Since) < l.settle {
			return minority{}, false
		}
	}
	return minority{s.all[0].Since, len(s.by)}, true
}

// reportingViews returns the views of the sites that report.
func reportingViews(views []SiteView) []SiteView {
	return slices.DeleteFunc(slices.Clone(views), func(v SiteView) bool { return !v.Recent })
}

// sightings returns what the sites see, and the keys of it in their order.
func sightings(reporting []SiteView) (seen map[string]sighting, keys []string) {
	type place struct{ site, address string }
	seen = make(map[string]sighting)
	probed := make(map[place]bool)
	same := make(map[string][]place) // by vote
	for _, v := range reporting {
		for _, b := range v.Report.Balancers {
			_, address := cutAddress(frontendName(b.URL, b.Address))
			probed[place{v.Site, address}] = true
		}
		for _, f := range v.Active {
			s, known := seen[f.Key()]
			if !known {
				keys = append(keys, f.Key())
			}
			seen[f.Key()] = sighting{append(s.all, f), append(s.by, v.Site)}
			vote, address := voteOf(f.Finding)
			same[vote] = append(same[vote], place{v.Site, address})
		}
	}
	for key, s := range seen {
		vote, address := voteOf(s.all[0].Finding)
		by := slices.Clone(s.by)
		for _, other := range same[vote] {
			shared := probed[place{other.site, address}] ||
				slices.ContainsFunc(s.by, func(site string) bool { return probed[place{site, other.address}] })
			if !shared && !slices.Contains(by, other.site) {
				by = append(by, other.site)
			}
		}
		seen[key] = sighting{s.all, by}
	}
	return seen, keys
}

// voteOf identifies what sites agree on, and returns the address of the balancer at which it was seen.
// A balancer may have other addresses at each site, and then these are no different trouble.
func voteOf(f Finding) (vote, address string) {
	f.Target, address = cutAddress(f.Target)
	return f.Key(), address
}

// cutAddress returns a target without the address of the balancer that it may have; see frontendName.
func cutAddress(target string) (rest, address string) {
	text, dialled, _ := strings.Cut(target, " (")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return target, ""
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return u.RequestURI(), u.Scheme + "://" + u.Host
	}
	return text, dialled
}

// needed returns how many of the sites must see a finding.
func needed(code Code, reporting int) int {
	if code.has(provenAnywhere) {
		return 1
	}
	return reporting/2 + 1
}

// agree returns a finding with the severity that enough sites give it, since enough of them see it.
func (l *SiteLedger) agree(s sighting, seen map[string]sighting, agreed map[string]bool, reporting []SiteView) ActiveFinding {
	all := l.newest(s.all)
	enough := min(needed(s.all[0].Code, len(reporting)), len(all))
	bySeverity := slices.SortedStableFunc(slices.Values(all), func(a, b ActiveFinding) int { return b.Severity.rank() - a.Severity.rank() })
	byTime := slices.SortedFunc(slices.Values(all), func(a, b ActiveFinding) int { return a.Since.Compare(b.Since) })
	f := bySeverity[enough-1]
	f.Since = byTime[enough-1].Since
	for _, other := range s.all {
		if other.Last.After(f.Last) {
			f.Last = other.Last
		}
	}
	if old, is := l.activeFinding(f.Key()); is && f.When.Sub(old.When) <= l.settle {
		f.When, f.Since = old.When, old.Since
	}
	for steps := len(seen); f.ExplainedBy != "" && !agreed[f.ExplainedBy]; steps-- {
		cause, known := seen[f.ExplainedBy]
		if f.ExplainedBy = ""; known && steps > 0 {
			f.ExplainedBy = cause.all[0].ExplainedBy
		}
	}
	if len(s.by) < len(reporting) {
		f.Evidence = append(slices.Clone(f.Evidence), msg(MsgSeenFrom, Args{Values: s.by, Addresses: without(reporting, s.by)}))
	}
	return f
}

// newest returns what sites see of the newest event. Each estimates its moment, so what is less than
// settle apart is one event.
func (l *SiteLedger) newest(all []ActiveFinding) []ActiveFinding {
	last := slices.MaxFunc(all, func(a, b ActiveFinding) int { return a.When.Compare(b.When) })
	return slices.DeleteFunc(slices.Clone(all), func(f ActiveFinding) bool { return last.When.Sub(f.When) > l.settle })
}

// without returns the sites that are not in a list.
func without(reporting []SiteView, list []string) (others []string) {
	for _, v := range reporting {
		if !slices.Contains(list, v.Site) {
			others = append(others, v.Site)
		}
	}
	return others
}

// disagreements returns a finding for each site that has seen for a while what others do not see.
func (l *SiteLedger) disagreements(at time.Time, reporting []SiteView, agreed map[string]bool) (list []ActiveFinding) {
	const most = 5 // sentences
	for _, v := range reporting {
		d := ActiveFinding{Last: at, Finding: Finding{
			Code: SiteDisagreement, Severity: Warning, Target: v.Site,
			Summary: msg(MsgSiteDisagrees, Args{Name: v.Site}), Remedy: msg(MsgCompareSites, Args{Name: v.Site}),
		}}
		old, is := l.activeFinding(d.Key())
		settled := is
		for _, f := range v.Active {
			since := l.alone[f.Key()].since
			if agreed[f.Key()] || f.ExplainedBy != "" || !f.Severity.AtLeast(Warning) {
				continue
			}
			settled = settled || at.Sub(since) >= l.settle
			if d.Since.IsZero() || since.Before(d.Since) {
				d.Since = since
			}
			if len(d.Evidence) < most {
				d.Evidence = append(d.Evidence, f.Summary)
			}
		}
		if len(d.Evidence) == 0 || !settled {
			continue
		}
		if is {
			d.Since = old.Since
		}
		list = append(list, d)
	}
	return list
}

// replace makes findings those that are active, and returns what has changed.
func (l *SiteLedger) replace(at time.Time, next []ActiveFinding) (changes []Change) {
	before := make(map[string]ActiveFinding)
	for _, f := range l.active {
		before[f.Key()] = f
	}
	for _, f := range next {
		old, known := before[f.Key()]
		delete(before, f.Key())
		switch {
		case !known || !old.When.Equal(f.When):
			changes = append(changes, Change{Appeared, f, f.Since, "seen from enough sites"})
		case old.Severity != f.Severity || old.ExplainedBy != f.ExplainedBy || !slices.Equal(old.Nodes, f.Nodes) && !f.Code.has(throughSessions):
			changes = append(changes, Change{Altered, f, at, "sites see another severity, cause or other nodes than before"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		changes = append(changes, Change{Gone, before[key], at, "not seen from enough sites any more"})
	}
	l.active = next
	return changes
}

// ReportOf returns the report of a cluster that several sites see: that of the first one that
// reports, with what is decided. It is inconclusive unless more than half of the sites report.
func (l *SiteLedger) ReportOf(cluster string, views []SiteView) Report {
	reporting := reportingViews(views)
	if len(reporting) == 0 {
		reporting = views
	}
	report := reporting[0].Report
	report.Cluster, report.Findings, report.Timelines = cluster, nil, nil
	for _, f := range l.active {
		report.Findings = append(report.Findings, f.Finding)
	}
	report.Doubts = slices.Clone(report.Doubts)
	var silent []string
	for _, v := range views {
		if !v.Recent {
			silent = append(silent, v.Site)
		}
	}
	if 2*len(silent) >= len(views) {
		report.Doubts = append(report.Doubts, msg(MsgSitesSilent, Args{Values: silent}))
	}
	report.Verdict = verdict(report.Findings, report.Doubts)
	return report
}

// Silent returns the report of a site that no longer reports.
func (v SiteView) Silent() Report {
	v.Report.Doubts = []Message{msg(MsgSitesSilent, Args{Values: []string{v.Site}})}
	v.Report.Verdict = Inconclusive
	return v.Report
}
