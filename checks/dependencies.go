package checks

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"stickwatch/probes"
)

// A service is a dependency as seen from both sides.
type service struct {
	name     string
	probed   bool
	up       bool
	error    string
	reported []string // nodes that say it is unavailable
	silent   []string // nodes that tell their state and do not complain of it
}

// services joins what was probed with what the nodes' reasons name, as far as
// those are not too many to be believed. Of a round that was cut short, a probe
// that failed tells nothing.
func services(v *outcomes) []service {
	var list []service
	cutShort := !v.cutShort().IsZero()
	for _, d := range v.Dependencies {
		list = append(list, service{name: d.Name, probed: d.Up || !cutShort, up: d.Up, error: d.Error})
	}
	for _, o := range v.active {
		for _, name := range dependencyNames(v.nodeStates, o.Status) {
			at := slices.IndexFunc(list, func(s service) bool { return strings.EqualFold(s.name, name) })
			if at < 0 && len(list) == len(v.Dependencies)+maxUnlistedNodes {
				continue // its name is in the node's own reason
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
		for _, o := range v.active {
			if o.Status != nil && o.Status.State != "" && !slices.Contains(list[i].reported, o.Node) {
				list[i].silent = append(list[i].silent, o.Node)
			}
		}
	}
	return list
}

// down: it fails when probed, or nodes report it.
func (s service) down() bool { return (s.probed && !s.up) || len(s.reported) > 0 }

// disputed: the probe and the nodes contradict each other.
func (s service) disputed() bool {
	if !s.probed {
		return false
	}
	return s.up && len(s.reported) > 0 || !s.up && len(s.reported) == 0 && len(s.silent) > 0
}

// dependencies finds services that are down: one finding a service, however
// many nodes suffer from it.
func dependencies(v *outcomes) []Finding {
	var list []Finding
	for _, s := range services(v) {
		if s.down() {
			f := s.downFinding()
			f.unanswered, f.store = s.probed && !s.up, keepsSessions(v.nodeStates, s.name)
			list = append(list, f)
		}
		if s.disputed() {
			list = append(list, s.disputedFinding())
		}
	}
	return list
}

// keepsSessions reports whether a dependency is of a kind that sessions are
// kept in.
func keepsSessions(v *nodeStates, name string) bool {
	return slices.ContainsFunc(v.Cluster.Dependencies, func(d probes.Dependency) bool {
		return strings.EqualFold(d.Name, name) &&
			slices.Contains([]string{"redis", "rediss", "memcached", "mysql", "postgres"}, d.URL.Scheme)
	})
}

func (s service) downFinding() Finding {
	f := aboutAll(DependencyDown, Critical, s.reported)
	f.Dependency = s.name
	f.Summary = msg(MsgDependencyDown, Args{Name: s.name})
	if len(s.reported) > 0 {
		f.Summary = msg(MsgDependencyUnavailable, Args{Name: s.name, Nodes: s.reported})
		f.Evidence = append(f.Evidence, msg(MsgReportedUnavailable, Args{Nodes: s.reported, Path: "/status"}))
	}
	switch {
	case s.probed && !s.up:
		f.Evidence = append(f.Evidence, msg(MsgDependencySilent, Args{Reason: s.error}))
	case s.probed:
		f.Evidence = append(f.Evidence, msg(MsgDependencyAnswers, Args{}))
	}
	f.Remedy = msg(MsgBringDependencyBack, Args{Name: s.name})
	if s.probed && s.up {
		f.Remedy = s.pathRemedy()
	}
	return f
}

func (s service) disputedFinding() Finding {
	if s.up {
		f := aboutAll(DependencyDisputed, Warning, s.reported)
		f.Dependency = s.name
		f.Summary = msg(MsgDisputedByNodes, Args{Nodes: s.reported, Name: s.name})
		f.Evidence = []Message{msg(MsgReportedUnavailable, Args{Nodes: s.reported}), msg(MsgDependencyAnswers, Args{})}
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

// pathRemedy: the service is well, so the trouble lies between it and the nodes.
func (s service) pathRemedy() Message {
	return msg(MsgCheckWayToDependency, Args{Nodes: s.reported, Name: s.name})
}

func dependencyReports(v *outcomes) []DependencyReport {
	var reports []DependencyReport
	for _, s := range services(v) {
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

// The name of a dependency that only a node's reason tells is part of a finding's
// key, and the reason may differ with every answer: "Redis Server (attempt 17)",
// "Redis Server: no answer for 5012 ms". What varies must not reach the key, or
// every answer would be a finding of its own.

// dependencyNames are the services that a node's reason names, without what
// nodes say of them besides. A configured dependency goes by its configured name.
func dependencyNames(v *nodeStates, o *probes.StatusReport) []string {
	var names []string
	for _, text := range o.Unavailable() {
		name := configuredName(v, text)
		if name == "" {
			name = stableName(text)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// configuredName is the dependency of the configuration with whose name a text
// begins, the longest such name; "": none.
func configuredName(v *nodeStates, text string) string {
	longest := ""
	for _, d := range v.Dependencies {
		if len(d.Name) > len(longest) && beginsWithName(text, d.Name) {
			longest = d.Name
		}
	}
	return longest
}

// beginsWithName reports whether a text begins with a name, in any case, and the
// name ends where a word does: "Redis2" does not begin with "Redis".
func beginsWithName(text, name string) bool {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return false
	}
	for _, next := range text[len(name):] {
		return !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '-' && next != '_' && next != '.'
	}
	return true
}

// stableName is a service's name without details that may vary: what is in
// brackets or after a colon and a space, and measures with the words that lead to
// them. "": nothing else is left. A number that may belong to the name stays.
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

// varying is the beginning of what varies: a measure, a time of day, a date, or a
// number beside a word or sign that counts.
var varying = regexp.MustCompile(`(?i)(^|\s)(` +
	`((after|for|since|in|at|last|within|every)\s+)*(` +
	`\d+([.,]\d+)*\s*(ns|[uµ]s|ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?|%|[kmg]?i?b)($|[^\pL\d])` +
	`|\d+\s*(times?|x|errors?|failures?|retries|tries|attempts?|requests?)($|[^\pL\d])` +
	`|\d+(:\d\d)+` +
	`|\d{4}-\d\d-\d\d)` +
	`|(attempts?|retry|retries|try|tries|failures?|errors?|count|counter|latency|elapsed|waited|seen|after|for|since|request|no\.|nr\.?)[\s:=#]*\d` +
	`|[#*+~]\s*\d)`)
