package checks

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"stickwatch/probes"
)

// A service is a dependency as both the probe and the nodes see it.
type service struct {
	name       string
	probed     bool
	up         bool
	error      string
	statusPath string   // of the page on which nodes report
	reported   []string // nodes that report it unavailable
	silent     []string // nodes that report their state, and not this dependency
}

// services joins the probed dependencies with those that nodes report, up to
// maxUnlistedNodes unknown names. If the round was cut short, a failed probe does not
// count.
func services(oc *outcomes) []service {
	var list []service
	cutShort := !oc.cutShort().IsZero()
	for _, d := range oc.round.Dependencies {
		list = append(list, service{name: d.Name, probed: d.Up || !cutShort, up: d.Up, error: d.Error})
	}
	for _, o := range oc.nodes.enabled {
		for _, name := range dependencyNames(oc.round, o.Status) {
			at := slices.IndexFunc(list, func(s service) bool { return strings.EqualFold(s.name, name) })
			if at < 0 && len(list) == len(oc.round.Dependencies)+maxUnlistedLabels {
				continue // the node's own reason still shows it
			}
			if at < 0 {
				list, at = append(list, service{name: name}), len(list)
			}
			if !slices.Contains(list[at].reported, o.Node) {
				list[at].reported = append(list[at].reported, o.Node)
			}
		}
	}
	for i := range list {
		if oc.round.Cluster.Status != nil {
			list[i].statusPath = oc.round.Cluster.Status.Path
		}
		for _, o := range oc.nodes.enabled {
			if o.Status != nil && o.Status.State != "" && !slices.Contains(list[i].reported, o.Node) {
				list[i].silent = append(list[i].silent, o.Node)
			}
		}
	}
	return list
}

// down reports whether the probe failed, or nodes report it unavailable.
func (s service) down() bool { return (s.probed && !s.up) || len(s.reported) > 0 }

// disputed reports whether the probe and the nodes contradict each other.
func (s service) disputed() bool {
	if !s.probed {
		return false
	}
	return s.up && len(s.reported) > 0 || !s.up && len(s.reported) == 0 && len(s.silent) > 0
}

// dependencies finds dependencies that are down, one finding each, however many nodes
// report it.
func dependencies(oc *outcomes) []Finding {
	var list []Finding
	for _, s := range services(oc) {
		if s.down() {
			f := s.downFinding()
			f.facts.unanswered, f.facts.store = s.probed && !s.up, keepsSessions(oc.round, s.name)
			list = append(list, f)
		}
		if s.disputed() {
			list = append(list, s.disputedFinding())
		}
	}
	return list
}

// keepsSessions reports whether a dependency is of a kind that stores sessions.
func keepsSessions(r *Round, name string) bool {
	return slices.ContainsFunc(r.Cluster.Dependencies, func(d probes.Dependency) bool {
		return strings.EqualFold(d.Name, name) &&
			slices.Contains([]string{"redis", "rediss", "redis+sentinel", "memcached", "mysql", "postgres"}, d.URL.Scheme)
	})
}

func (s service) downFinding() Finding {
	finding := aboutAll(DependencyDown, Critical, s.reported)
	finding.Dependency = s.name
	finding.Summary = msg(MsgDependencyDown, Args{Name: s.name})
	if len(s.reported) > 0 {
		finding.Summary = msg(MsgDependencyUnavailable, Args{Name: s.name, Nodes: s.reported})
		finding.Evidence = append(finding.Evidence, msg(MsgReportedUnavailable, Args{Nodes: s.reported, Path: s.statusPath}))
	}
	switch {
	case s.probed && !s.up:
		finding.Evidence = append(finding.Evidence, msg(MsgDependencySilent, Args{Reason: s.error}))
	case s.probed:
		finding.Evidence = append(finding.Evidence, msg(MsgDependencyAnswers, Args{}))
	}
	finding.Remedy = msg(MsgBringDependencyBack, Args{Name: s.name})
	if s.probed && s.up {
		finding.Remedy = s.pathRemedy()
	}
	return finding
}

func (s service) disputedFinding() Finding {
	if s.up {
		f := aboutAll(DependencyDisputed, Warning, s.reported)
		f.Dependency = s.name
		f.Summary = msg(MsgDisputedByNodes, Args{Nodes: s.reported, Name: s.name})
		f.Evidence = []Message{msg(MsgReportedUnavailable, Args{Nodes: s.reported, Path: s.statusPath}), msg(MsgDependencyAnswers, Args{})}
		f.Remedy = s.pathRemedy()
		return f
	}
	f := aboutAll(DependencyDisputed, Warning, s.silent)
	f.Dependency = s.name
	f.Summary = msg(MsgDisputedByProbe, Args{Name: s.name})
	f.Evidence = []Message{msg(MsgDependencySilent, Args{Reason: s.error}), msg(MsgReportNothing, Args{Nodes: s.silent})}
	f.Remedy = msg(MsgCheckOwnCredentials, Args{Name: s.name})
	return f
}

// pathRemedy returns the remedy if the dependency itself is up: the problem lies
// between it and the nodes.
func (s service) pathRemedy() Message {
	return msg(MsgCheckWayToDependency, Args{Nodes: s.reported, Name: s.name})
}

func dependencyReports(oc *outcomes) []DependencyReport {
	var reports []DependencyReport
	for _, s := range services(oc) {
		r := DependencyReport{Name: s.name, Up: Unknown, ReportedBy: s.reported, Error: s.error}
		switch {
		case s.probed && s.up:
			r.Up = Yes
		case s.probed || len(s.reported) > 0:
			r.Up = No
		}
		reports = append(reports, r)
	}
	return reports
}

// The name of a dependency that only a node's reason contains is part of a finding's
// key, and the reason may change with every answer: "Redis Server (attempt 17)",
// "Redis Server: no answer for 5012 ms". The functions below remove the parts that
// vary; otherwise every answer would be a new finding.

// dependencyNames returns the dependencies that a node reports unavailable, without
// details. A configured dependency has its configured name.
func dependencyNames(r *Round, o *probes.StatusReport) []string {
	var names []string
	for _, text := range o.Unavailable() {
		name := configuredName(r, text)
		if name == "" {
			name = stableName(text)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// configuredName returns the longest configured name that a text begins with; "":
// none.
func configuredName(r *Round, text string) string {
	longest := ""
	for _, d := range r.Cluster.Dependencies { // not those probed: a round under way has none yet
		if len(d.Name) > len(longest) && beginsWithName(text, d.Name) {
			longest = d.Name
		}
	}
	return longest
}

// beginsWithName reports whether a text begins with a name, in any case, as a whole
// word: "Redis2" does not begin with "Redis".
func beginsWithName(text, name string) bool {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return false
	}
	for _, next := range text[len(name):] {
		return !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '-' && next != '_' && next != '.'
	}
	return true
}

// stableName returns a dependency's name without details that may vary: text in
// brackets or after a colon and a space, and measures with the words before them. It
// is "" if nothing else is left. A number that may belong to the name is kept.
func stableName(text string) string {
	name := text
	if at := strings.IndexAny(name, "([{<"); at >= 0 {
		name = name[:at]
	}
	for _, mark := range []string{": ", " - ", " – ", " — ", "; "} {
		name, _, _ = strings.Cut(name, mark)
	}
	if at := varying.FindStringIndex(name); at != nil {
		name = name[:at[0]]
	}
	return strings.Trim(name, " \t.;:-–—=")
}

// varying matches the beginning of a part that varies: a measure, a time of day, a
// date, or a number beside a counting word or sign.
var varying = regexp.MustCompile(`(?i)(^|\s)(` +
	`((after|for|since|in|at|last|within|every)\s+)*(` +
	`\d+([.,]\d+)*\s*(ns|[uµ]s|ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?|%|[kmg]?i?b)($|[^\pL\d])` +
	`|\d+\s*(times?|x|errors?|failures?|retries|tries|attempts?|requests?)($|[^\pL\d])` +
	`|\d+(:\d\d)+` +
	`|\d{4}-\d\d-\d\d)` +
	`|(attempts?|retry|retries|try|tries|failures?|errors?|count|counter|latency|elapsed|waited|seen|after|for|since|request|no\.|nr\.?)[\s:=#]*\d` +
	`|[#*+~]\s*\d)`)
