package alerting

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"stickwatch/checks"
)

// alike ignores when a finding was seen last, which is only written together with
// other changes.
var alike = cmp.Options{unexported, cmpopts.IgnoreFields(checks.ActiveFinding{}, "Last"), cmpopts.EquateEmpty()}

// TestAnySequence: for any sequence of changes of clusters, silences, and
// configuration, the invariants of modelManager are true, and a restart at any time
// changes no decision.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := someConfig(rt)
		steady, restarted := newRig(config), newRig(config)
		model := &modelManager{last: make(map[string]Notification), kept: make(map[string]Incident)}
		at := noon
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 29, 30, 31, 200, 1000, 5000, 20_000}).Draw(rt, "seconds")) * time.Second)
			act := someAct(rt, t, at)
			notifications := act(steady)
			if diff := cmp.Diff(steady.lines(notifications), restarted.lines(act(restarted))); diff != "" {
				rt.Fatalf("notifications after a restart (-steady +restarted):\n%s", diff)
			}
			model.check(rt, steady, notifications)
			if rapid.Bool().Draw(rt, "restart") {
				restarted.restart(at)
			}
		}
		if diff := cmp.Diff(steady.kept, restarted.kept, alike); diff != "" {
			rt.Fatalf("incidents after a restart (-steady +restarted):\n%s", diff)
		}
	})
}

// someConfig returns a configuration with one or two receivers, with or without
// routes.
func someConfig(rt *rapid.T) Config {
	c := usual()
	c.Repeat = rapid.SampledFrom([]time.Duration{0, time.Minute, 4 * time.Hour}).Draw(rt, "repeat")
	c.ByHost = rapid.Bool().Draw(rt, "by host")
	c.ResolveAfter = rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(rt, "resolve after")
	if rapid.Bool().Draw(rt, "two receivers") {
		c.Receivers = []string{"ops", "pager"}
		c.Routes = []Route{{Receiver: "pager", Severity: checks.Critical, Continue: true}, {Receiver: "ops", Cluster: "shop"}}
	}
	return c
}

// An act is an input of the manager.
type act func(*rig) []Notification

func someAct(rt *rapid.T, t *testing.T, at time.Time) act {
	switch rapid.SampledFrom([]string{"see", "see", "see", "see", "tick", "silence", "deploy", "watch"}).Draw(rt, "act") {
	case "see":
		cluster, seen := someCluster(rt), someFindings(rt, t)
		return func(r *rig) []Notification {
			r.manager.ObserveNodes(at, cluster, func(time.Time) []string { return downIn(seen) })
			return r.see(at, cluster, seen)
		}
	case "deploy":
		d := Deployment{ID: fmt.Sprint(at.Unix()), Cluster: "shop", Name: "4.2", From: at}
		d.To = at.Add(time.Duration(rapid.IntRange(0, 1000).Draw(rt, "for")) * time.Second)
		return func(r *rig) []Notification {
			r.manager.SetDeployments([]Deployment{d})
			return r.commit(r.manager.Tick(at))
		}
	case "silence":
		s := Silence{
			ID: "s", Cluster: rapid.SampledFrom([]string{"", "shop"}).Draw(rt, "silenced"), From: at,
			Code: rapid.SampledFrom([]checks.Code{"", checks.NodePaused, checks.DependencyDown}).Draw(rt, "code"),
			To:   at.Add(time.Duration(rapid.IntRange(0, 1000).Draw(rt, "for")) * time.Second),
		}
		return func(r *rig) []Notification {
			r.manager.SetSilences([]Silence{s})
			return r.commit(r.manager.Tick(at))
		}
	case "watch":
		watched := []string{someCluster(rt)}
		return func(r *rig) []Notification {
			clear(r.ledgers)
			return r.commit(r.manager.Watch(at, watched))
		}
	default:
		return func(r *rig) []Notification { return r.commit(r.manager.Tick(at)) }
	}
}

// downIn returns the nodes that are down in a round.
func downIn(seen []checks.Finding) (nodes []string) {
	for _, f := range seen {
		if f.Code == checks.NodeDown {
			nodes = append(nodes, f.Node)
		}
	}
	return nodes
}

func someCluster(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"shop", "mall"}).Draw(rt, "cluster")
}

// someFindings returns a few findings with random severities and causes. A cause may
// be inactive or part of a cycle.
func someFindings(rt *rapid.T, t *testing.T) []checks.Finding {
	keys := []string{"dependency_down/Redis", "dependency_down/MySQL", "node_down/node1", "node_paused/node1", "node_paused/node2", "slow"}
	var texts []string
	for _, key := range keys {
		if !rapid.Bool().Draw(rt, key) {
			continue
		}
		severity := rapid.SampledFrom([]checks.Severity{checks.Critical, checks.Warning, checks.Info}).Draw(rt, "severity")
		text := fmt.Sprintf("%s %s", severity, key)
		if cause := rapid.SampledFrom(append([]string{"", "", ""}, keys...)).Draw(rt, "cause"); cause != "" && cause != key {
			text += " < " + cause
		}
		texts = append(texts, text)
	}
	return at10(t, strings.Join(texts, ";"))
}

// A modelManager checks the invariants.
type modelManager struct {
	last map[string]Notification // by incident and receiver
	kept map[string]Incident     // as they were before
}

func (mm *modelManager) check(rt *rapid.T, r *rig, notifications []Notification) {
	for _, n := range notifications {
		mm.notification(rt, n)
	}
	for _, i := range r.kept {
		mm.incident(rt, i)
	}
	mm.open(rt, r)
	mm.activeFindings(rt, r)
	mm.kept = maps.Clone(r.kept)
}

// notification: Fired is the first and sent once, Resolved is the last and sent once,
// news are gathered, and silences suppress all but the last.
func (mm *modelManager) notification(rt *rapid.T, n Notification) {
	key := n.Incident.ID + "/" + n.Receiver
	before, known := mm.last[key]
	switch {
	case known == (n.Kind == NotificationFired):
		rt.Fatalf("%s is %s, notified before: %v", n.ID, n.Kind, known)
	case before.Kind == NotificationResolved:
		rt.Fatalf("%s is %s, after the end", n.ID, n.Kind)
	case (n.Kind == NotificationResolved) != (n.Incident.State == Resolved):
		rt.Fatalf("%s is %s of an incident that is %s", n.ID, n.Kind, n.Incident.State)
	case n.Kind == NotificationDeveloped && n.At.Sub(before.At) < groupInterval && !slices.ContainsFunc(n.News, Event.worsens):
		rt.Fatalf("%s has news %s after the previous notification", n.ID, n.At.Sub(before.At))
	case n.Kind != NotificationResolved && (n.Incident.Silenced != "" || n.Incident.State != Firing):
		rt.Fatalf("%s is %s of an incident that is %s, silenced for %q", n.ID, n.Kind, n.Incident.State, n.Incident.Silenced)
	case known && !n.Incident.Severity.AtLeast(before.Incident.Severity):
		rt.Fatalf("%s has severity %s, after %s", n.ID, n.Incident.Severity, before.Incident.Severity)
	case n.Kind == NotificationDeveloped && len(n.News) == 0:
		rt.Fatalf("%s has no news", n.ID)
	}
	mm.last[key] = n
}

// incident: a resolved incident does not change, its severity never falls, receivers
// that were notified are notified of its end, and everything is bounded.
func (mm *modelManager) incident(rt *rapid.T, i Incident) {
	before, known := mm.kept[i.ID]
	if known && before.State == Resolved {
		if i.State != Resolved || len(before.Timeline) != len(i.Timeline) {
			rt.Fatalf("%s has changed after its end: it is %s, with %d events, and had %d", i.ID, i.State, len(i.Timeline), len(before.Timeline))
		}
		return
	}
	order := []State{Pending, Firing, Resolved}
	switch {
	case known && !i.Severity.AtLeast(before.Severity):
		rt.Fatalf("the severity of %s fell from %s to %s", i.ID, before.Severity, i.Severity)
	case known && slices.Index(order, i.State) < slices.Index(order, before.State):
		rt.Fatalf("%s went from %s to %s", i.ID, before.State, i.State)
	case len(i.Timeline) > maxEvents || len(i.Findings) > maxFindings || len(i.Findings) == 0:
		rt.Fatalf("%s has %d events and %d findings", i.ID, len(i.Timeline), len(i.Findings))
	case (i.State == Resolved) && (i.Active() || i.Ended.IsZero()):
		rt.Fatalf("%s is resolved, but has an active finding or no end", i.ID)
	case i.Findings[0].Active() && !i.concerns(i.Findings[0].Cluster) || len(i.Clusters) == 0 || !slices.Contains(i.Clusters, i.Cluster):
		rt.Fatalf("%s of %q concerns %q", i.ID, i.Cluster, i.Clusters)
	case i.Cause.Key() != i.Findings[0].Key():
		rt.Fatalf("%s is led by %s, its cause is %s", i.ID, i.Findings[0].Key(), i.Cause.Key())
	}
	for _, known := range i.Notified {
		if last := mm.last[i.ID+"/"+known.Receiver]; (i.State == Resolved) != (last.Kind == NotificationResolved) {
			rt.Fatalf("%s is %s, and the last notification for %s is %s", i.ID, i.State, known.Receiver, last.Kind)
		}
	}
}

// open: the open incidents of the manager are those that were written.
func (mm *modelManager) open(rt *rapid.T, r *rig) {
	var kept []Incident
	for _, id := range r.ids {
		if i := r.kept[id]; i.State != Resolved {
			kept = append(kept, i)
		}
	}
	slices.SortFunc(kept, func(a, b Incident) int { return strings.Compare(a.ID, b.ID) })
	for n, i := range r.manager.Open() {
		if n >= len(kept) || kept[n].ID != i.ID || kept[n].State != i.State || kept[n].Severity != i.Severity || kept[n].Ended != i.Ended {
			rt.Fatalf("open incident %s is not on the disk as it is", i.ID)
		}
	}
	if len(kept) != len(r.manager.Open()) {
		rt.Fatalf("%d incidents are open on the disk, %d in the manager", len(kept), len(r.manager.Open()))
	}
}

// activeFindings: every active finding that alerts is active in exactly one open
// incident, and no other finding is.
func (mm *modelManager) activeFindings(rt *rapid.T, r *rig) {
	for cluster, ledger := range r.ledgers {
		active := make(map[string]int)
		for _, found := range ledger.Active() {
			active[found.Key()] = 0
		}
		for _, i := range r.manager.Open() {
			for _, m := range i.Findings {
				if _, ok := active[m.Key()]; m.Cluster == cluster && m.Active() && !ok {
					rt.Fatalf("%s is active in %s and not in the ledger", m.Key(), i.ID)
				}
				if m.Cluster == cluster && m.Active() {
					active[m.Key()]++
				}
			}
		}
		for _, found := range ledger.Active() {
			if n := active[found.Key()]; n > 1 || (n == 0 && found.Severity.AtLeast(checks.Warning)) {
				rt.Fatalf("%s is active in the ledger and in %d incidents", found.Key(), n)
			}
		}
	}
}
