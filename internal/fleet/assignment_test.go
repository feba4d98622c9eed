package fleet

import (
	"fmt"
	"testing"
	"time"

	"stickwatch/internal/history"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// instance returns an instance that has run for an hour.
func instance(name string, change ...func(*history.Instance)) history.Instance {
	i := history.Instance{Name: name, CanProbe: true, Started: now.Add(-time.Hour), Expires: now.Add(history.LeaseTime)}
	for _, f := range change {
		f(&i)
	}
	return i
}

func dead(i *history.Instance)     { i.Expires = now }
func unable(i *history.Instance)   { i.CanProbe = false }
func draining(i *history.Instance) { i.Draining = true }
func fresh(i *history.Instance)    { i.Started = now }
func skewed(i *history.Instance)   { i.Digest = "other" }

func units(n int) (all []Unit) {
	for i := range n {
		name := fmt.Sprintf("cluster%d", i)
		all = append(all, Unit{Key: name, Clusters: []string{name}})
	}
	return all
}

// firstOf returns the first unit that an instance should have.
func firstOf(t *testing.T, name string, names ...string) Unit {
	t.Helper()
	for _, u := range units(100) {
		if assignments([]Unit{u}, names)[u.Key][0] == name {
			return u
		}
	}
	t.Fatalf("%s should have nothing", name)
	return Unit{}
}

// TestAssignments: clusters are shared out evenly, and few but those of a lost or a new instance move.
func TestAssignments(t *testing.T) {
	first := func(units []Unit, names ...string) map[string]string {
		to := make(map[string]string)
		for key, order := range assignments(units, names) {
			to[key] = order[0]
		}
		return to
	}
	for _, n := range []int{4, 30, 3000} {
		all := units(n)
		three, two := first(all, "a", "b", "c"), first(all, "a", "b")
		has, moved := make(map[string]int), 0
		for key, name := range three {
			has[name]++
			if name != "c" && two[key] != name {
				moved++
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			if has[name] > (n+2)/3 {
				t.Errorf("%s has %d of %d", name, has[name], n)
			}
		}
		if moved > n/6+1 {
			t.Errorf("%d of %d clusters move between the instances that stay", moved, n)
		}
	}
}

func TestDecide(t *testing.T) {
	mine, other := firstOf(t, "a", "a", "b"), firstOf(t, "b", "a", "b")
	ownedBy := func(owner string, u Unit) history.Lease { return history.Lease{Cluster: u.Key, Owner: owner, Epoch: 1} }
	for name, tt := range map[string]struct {
		instances     []history.Instance
		leases        []history.Lease
		unit          Unit
		free          time.Duration
		take, release bool
	}{
		"a cluster without a lease":              {[]history.Instance{instance("a"), instance("b")}, nil, mine, 0, true, false},
		"one that the other should take":         {[]history.Instance{instance("a"), instance("b")}, nil, other, patience / 2, false, false},
		"which it has not done for a while":      {[]history.Instance{instance("a"), instance("b")}, nil, other, patience, true, false},
		"one of a dead instance":                 {[]history.Instance{instance("a"), instance("b", dead)}, []history.Lease{ownedBy("b", other)}, other, 0, true, false},
		"one of an unknown instance":             {[]history.Instance{instance("a")}, []history.Lease{ownedBy("b", other)}, other, 0, true, false},
		"one of a live instance":                 {[]history.Instance{instance("a"), instance("b")}, []history.Lease{ownedBy("b", mine)}, mine, 0, false, false},
		"an own one that fits":                   {[]history.Instance{instance("a"), instance("b")}, []history.Lease{ownedBy("a", mine)}, mine, 0, false, false},
		"an own one that the other should have":  {[]history.Instance{instance("a"), instance("b")}, []history.Lease{ownedBy("a", other)}, other, 0, false, true},
		"if the other has just started":          {[]history.Instance{instance("a"), instance("b", fresh)}, []history.Lease{ownedBy("a", other)}, other, 0, false, false},
		"if the other has another configuration": {[]history.Instance{instance("a"), instance("b", skewed)}, []history.Lease{ownedBy("a", other)}, other, 0, false, false},
		"an own one while drained":               {[]history.Instance{instance("a", draining), instance("b")}, []history.Lease{ownedBy("a", mine)}, mine, 0, false, true},
		"while drained, and alone":               {[]history.Instance{instance("a", draining), instance("b", dead)}, []history.Lease{ownedBy("a", mine)}, mine, 0, false, false},
		"an own one that it cannot probe":        {[]history.Instance{instance("a", unable), instance("b")}, []history.Lease{ownedBy("a", mine)}, mine, 0, false, true},
		"which the other cannot either":          {[]history.Instance{instance("a", unable), instance("b", unable)}, []history.Lease{ownedBy("a", mine)}, mine, 0, false, false},
		"an own one that is not configured":      {[]history.Instance{instance("a"), instance("b")}, []history.Lease{ownedBy("a", Unit{Key: "old"})}, mine, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			state := history.FleetState{Now: now, Instances: tt.instances, Leases: tt.leases}
			got := decide(state, time.Time{}, "a", []Unit{tt.unit}, func(string) time.Duration { return tt.free })
			if (len(got.take) > 0) != tt.take || (len(got.release) > 0) != tt.release {
				t.Errorf("got %+v, want taken %v, released %v", got, tt.take, tt.release)
			}
		})
	}
}

// TestDecideSites: the view of a site is watched by an instance there, and one elsewhere gives it away.
func TestDecideSites(t *testing.T) {
	at := func(name, site string) history.Instance {
		i := instance(name)
		i.Site = site
		return i
	}
	view := Unit{Key: "shop@x", Clusters: []string{"shop@x"}, Site: "x"}
	does := func(leases []history.Lease, instances ...history.Instance) string {
		state := history.FleetState{Now: now, Instances: instances, Leases: leases}
		got := decide(state, time.Time{}, "a", []Unit{view}, func(string) time.Duration { return time.Hour })
		switch {
		case len(got.take) > 0:
			return "takes"
		case len(got.release) > 0:
			return "releases"
		}
		return ""
	}
	own := []history.Lease{{Cluster: "shop@x", Owner: "a", Epoch: 1}}
	for _, tt := range []struct{ got, want string }{
		{does(nil, at("a", "x"), at("b", "y")), "takes"},
		{does(nil, at("a", "y"), at("b", "x")), ""},
		{does(nil, at("a", "y")), ""},
		{does(own, at("a", "x"), at("b", "y")), ""},
		{does(own, at("a", "y")), "releases"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// TestReturn: after the database was away, nobody takes the clusters of instances that are not heard
// of yet; a free one is taken.
func TestReturn(t *testing.T) {
	all := units(2)
	state := history.FleetState{
		Now: now, Instances: []history.Instance{instance("a"), instance("b", dead)},
		Leases: []history.Lease{{Cluster: all[0].Key, Owner: "b", Epoch: 1}, {Cluster: all[1].Key, Epoch: 1}},
	}
	took := func(state history.FleetState, back time.Time) int {
		return len(decide(state, back, "a", all, func(string) time.Duration { return 0 }).take)
	}
	if n := took(state, now.Add(-returnTime/2)); n != 1 {
		t.Errorf("%d units were taken after this instance could not reach the database, want 1", n)
	}
	if n := took(state, now.Add(-returnTime)); n != 2 {
		t.Errorf("%d units were taken later, want 2", n)
	}
	state.Started = now.Add(-returnTime / 2)
	if n := took(state, time.Time{}); n != 1 {
		t.Errorf("%d units were taken after the database was restarted, want 1", n)
	}
}

// TestFewMove: an instance gives few clusters away at a time.
func TestFewMove(t *testing.T) {
	state := history.FleetState{Now: now, Instances: []history.Instance{instance("a"), instance("b"), instance("c")}}
	all := units(300)
	for _, u := range all {
		state.Leases = append(state.Leases, history.Lease{Cluster: u.Key, Owner: "a", Epoch: 1})
	}
	if got := decide(state, time.Time{}, "a", all, func(string) time.Duration { return 0 }); len(got.release) == 0 || len(got.release) > len(all)/10 {
		t.Errorf("%d of %d clusters move at once", len(got.release), len(all))
	}
}
