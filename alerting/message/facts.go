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

// facts returns the time and the place of an incident, the most urgent first: the
// affected clients and since when. Facts without a value are omitted.
func (w Writer) facts(incident alerting.Incident) []Fact {
	labels := w.labels()
	nodes, named := labels.node, w.nodesOf(incident)
	if len(named) > 1 {
		nodes = labels.nodes
	}
	clusters := labels.cluster
	if len(incident.Clusters) > 1 {
		clusters = labels.clusters
	}
	all := []Fact{
		{Label: labels.affected, Value: w.Language.Affected(incident.Affected())},
		{Label: labels.since, Value: w.moment(incident.Started)},
		{Label: labels.until, Value: w.moment(incident.Ended)},
		{Label: labels.severity, Value: labels.severities[incident.Severity]},
		{Label: clusters, Value: w.names(incident.ClusterNames())},
		{Label: nodes, Value: w.names(named)},
		{Label: labels.dependency, Value: name(incident.Cause.Dependency)},
		{Label: labels.target, Value: name(incident.Cause.Target)},
	}
	if incident.Flapping {
		all = append(all, Fact{Label: labels.flapping, Value: labels.flappingDetail})
	}
	return slices.DeleteFunc(all, func(f Fact) bool { return f.Value == "" })
}

// notificationFacts adds to the facts of the incident those of the notification.
func (w Writer) notificationFacts(notification alerting.Notification) []Fact {
	facts, labels := w.facts(notification.Incident), w.labels()
	if notification.Alone != "" {
		facts = append(facts, Fact{Label: labels.sentBy, Value: name(notification.Alone) + labels.mayRepeat})
	}
	return facts
}

// consequences returns a line for each code that the cause explains, separately for
// active and ended findings, in the order in which they appeared.
func (w Writer) consequences(incident alerting.Incident) []string {
	type kind struct {
		code  checks.Code
		ended bool
	}
	var kinds []kind
	subjects := make(map[kind][]string)
	failures := slices.Concat(incident.Failures())
	for _, m := range incident.Findings {
		if slices.ContainsFunc(failures, func(a alerting.Member) bool { return a.Key() == m.Key() && a.Cluster == m.Cluster }) {
			continue
		}
		k := kind{m.Code, !m.Active()}
		if _, ok := subjects[k]; !ok {
			kinds = append(kinds, k)
		}
		for _, subject := range subjectsOf(m.Finding) {
			subjects[k] = append(subjects[k], w.Language.Of(incident, m.Cluster, subject))
		}
	}
	var lines []string
	for _, k := range kinds {
		lines = append(lines, w.consequence(k.code, k.ended && incident.State != alerting.Resolved, subjects[k]))
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
	active, ended := i.Failures()
	if len(active)+len(ended) == 1 {
		return nodesOf(active[0].Finding)
	}
	var names []string
	for _, m := range active {
		names = append(names, w.Language.Of(i, m.Cluster, m.Node))
	}
	for _, m := range ended {
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
