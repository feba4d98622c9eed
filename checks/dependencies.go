package checks

import (
	"fmt"
	"slices"
	"strings"

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
func (v *view) services() []service {
	var list []service
	cutShort := len(v.unasked()) > 0
	for _, d := range v.Dependencies {
		list = append(list, service{name: d.Name, probed: d.Up || !cutShort, up: d.Up, error: d.Error})
	}
	for _, o := range v.active {
		for _, name := range v.dependencyNames(o.Status) {
			at := slices.IndexFunc(list, func(s service) bool { return strings.EqualFold(s.name, name) })
			if at < 0 && len(list) == len(v.Dependencies)+maxStrangers {
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
func dependencies(v *view) []Finding {
	var list []Finding
	for _, s := range v.services() {
		if s.down() {
			f := s.downFinding()
			f.unanswered, f.store = s.probed && !s.up, v.keepsSessions(s.name)
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
func (v *view) keepsSessions(name string) bool {
	return slices.ContainsFunc(v.Cluster.Dependencies, func(d probes.Dependency) bool {
		return strings.EqualFold(d.Name, name) &&
			slices.Contains([]string{"redis", "rediss", "memcached", "mysql", "postgres"}, d.URL.Scheme)
	})
}

func (s service) downFinding() Finding {
	f := aboutAll(DependencyDown, Critical, s.reported)
	f.Dependency = s.name
	f.Summary = s.name + " is down"
	if len(s.reported) > 0 {
		f.Summary = fmt.Sprintf("%s is unavailable to %s", s.name, join(s.reported))
		f.Evidence = append(f.Evidence, say(s.reported, "reports", "report")+" it unavailable in /status")
	}
	switch {
	case s.probed && !s.up:
		f.Evidence = append(f.Evidence, "asked by stickwatch: "+s.error)
	case s.probed:
		f.Evidence = append(f.Evidence, "asked by stickwatch: it answers")
	}
	f.Remedy = fmt.Sprintf("Bring %s back; nodes that were paused for it resume by themselves.", s.name)
	if s.probed && s.up {
		f.Remedy = s.wayRemedy()
	}
	return f
}

func (s service) disputedFinding() Finding {
	if s.up {
		f := aboutAll(DependencyDisputed, Warning, s.reported)
		f.Dependency = s.name
		f.Summary = fmt.Sprintf("%s that %s is unavailable, and it answers stickwatch", say(s.reported, "says", "say"), s.name)
		f.Evidence = []string{say(s.reported, "reports", "report") + " it unavailable", "asked by stickwatch: it answers"}
		f.Remedy = s.wayRemedy()
		return f
	}
	f := aboutAll(DependencyDisputed, Warning, s.silent)
	f.Dependency = s.name
	f.Summary = fmt.Sprintf("%s does not answer stickwatch, and no node complains of it", s.name)
	f.Evidence = []string{"asked by stickwatch: " + s.error, say(s.silent, "reports", "report") + " nothing"}
	f.Remedy = "Check the address and the credentials that stickwatch uses for " + s.name + ", and whether the nodes use the same."
	return f
}

// wayRemedy: the service is well, so the trouble lies between it and the nodes.
func (s service) wayRemedy() string {
	return "Look at the way from " + join(s.reported) + " to " + s.name + ": address, credentials, firewall; or their state is stale."
}

func (v *view) dependencyReports() []DependencyReport {
	var reports []DependencyReport
	for _, s := range v.services() {
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
