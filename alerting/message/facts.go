package message

import (
	"slices"
	"strings"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// maxNodes bounds the nodes that are named for one finding.
const maxNodes = 8

// facts returns the time and the place of an incident, the most urgent first: whom it
// affects and since when. Facts without a value are omitted.
func (w Writer) facts(i alerting.Incident) []Fact {
	l := w.labels()
	nodes, named := l.node, w.nodesOf(i)
	if len(named) > 1 {
		nodes = l.nodes
	}
	clusters := l.cluster
	if len(i.Clusters) > 1 {
		clusters = l.clusters
	}
	all := []Fact{
		{Label: l.affected, Value: w.Language.Affected(i.Affected())},
		{Label: l.since, Value: w.moment(i.Started)},
		{Label: l.until, Value: w.moment(i.Ended)},
		{Label: l.severity, Value: l.severities[i.Severity]},
		{Label: clusters, Value: w.clusters(i)},
		{Label: nodes, Value: w.names(named)},
		{Label: l.dependency, Value: name(i.Cause.Dependency)},
		{Label: l.target, Value: name(i.Cause.Target)},
	}
	if i.Flapping {
		all = append(all, Fact{Label: l.flapping, Value: l.comesAndGoes})
	}
	return slices.DeleteFunc(all, func(f Fact) bool { return f.Value == "" })
}

// consequences returns a line for each code that the cause explains, separately for
// active and ended findings, in the order in which they appeared.
func (w Writer) consequences(i alerting.Incident) []string {
	type kind struct {
		code  checks.Code
		ended bool
	}
	var kinds []kind
	subjects := make(map[kind][]string)
	alike := slices.Concat(i.Alike())
	for _, m := range i.Findings {
		if slices.ContainsFunc(alike, func(a alerting.Member) bool { return a.Key() == m.Key() && a.Cluster == m.Cluster }) {
			continue
		}
		k := kind{m.Code, !m.Active()}
		if _, ok := subjects[k]; !ok {
			kinds = append(kinds, k)
		}
		for _, subject := range subjectsOf(m.Finding) {
			subjects[k] = append(subjects[k], w.Language.Of(i, m.Cluster, subject))
		}
	}
	var lines []string
	for _, k := range kinds {
		lines = append(lines, w.consequence(k.code, k.ended && i.State != alerting.Resolved, subjects[k]))
	}
	return w.bounded(lines, maxConsequences)
}

func (w Writer) consequence(code checks.Code, ended bool, subjects []string) string {
	l, line := w.labels(), w.title(code)
	if ended {
		line += l.ended
	}
	if names := w.names(unique(subjects)); names != "" {
		line += l.colon + names
	}
	return line
}

// names lists at most maxNodes names.
func (w Writer) names(all []string) string {
	named := make([]string, len(all))
	for i, n := range all {
		named[i] = name(n)
	}
	return strings.Join(w.bounded(named, maxNodes), w.labels().comma)
}

// nodesOf returns the nodes of an incident, with their clusters if it concerns
// several.
func (w Writer) nodesOf(i alerting.Incident) []string {
	active, over := i.Alike()
	if len(active)+len(over) == 1 {
		return nodesOf(active[0].Finding)
	}
	var names []string
	for _, m := range active {
		names = append(names, w.Language.Of(i, m.Cluster, m.Node))
	}
	for _, m := range over {
		names = append(names, w.Language.Of(i, m.Cluster, m.Node)+w.labels().ended)
	}
	return names
}

func nodesOf(f checks.Finding) []string {
	if f.Node != "" {
		return []string{f.Node}
	}
	return f.Nodes
}

// subjectsOf returns the most specific names of the subjects of a finding.
func subjectsOf(f checks.Finding) []string {
	if f.Dependency != "" {
		return []string{f.Dependency}
	}
	if nodes := nodesOf(f); len(nodes) > 0 {
		return nodes
	}
	if f.Target != "" {
		return []string{f.Target}
	}
	return nil
}

func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// name cleans a name from a target or from the configuration.
func name(text string) string { return probes.Clean(text, maxName) }
