package fleet

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"stickwatch/internal/history"
)

// A Unit is a set of clusters that one instance watches, because they can share an incident.
type Unit struct {
	Key      string // decides, with the names of the instances, who watches it
	Clusters []string
	Site     string // whose instances may watch it; "": all
}

// maintenance is the unit of the instance that deletes what is expired.
var maintenance = Unit{Key: "", Clusters: []string{""}}

const (
	// settleTime is how long an instance runs before others give clusters to it, so that one that
	// keeps crashing gets none.
	settleTime = 10 * time.Second
	// patience is how long each instance waits for those that should rather take a unit, which may
	// not have it in their configuration.
	patience = 3 * time.Second
	// returnTime is how long instances need to be heard of again after the database was away.
	returnTime = 5 * time.Second
	// movesPerBeat is the share of its units that an instance gives away at a time: 1/movesPerBeat.
	movesPerBeat = 8
)

// ranked returns instances in the order in which they should watch a unit, by rendezvous hashing:
// a new instance takes units from all others alike, and those of a lost one go to all others alike.
func ranked(unit string, names []string) []string {
	score := func(name string) uint64 {
		h := fnv.New64a()
		h.Write([]byte(unit + "\x00" + name))
		return mix(h.Sum64())
	}
	return slices.SortedFunc(slices.Values(names), func(a, b string) int { return cmp.Or(cmp.Compare(score(b), score(a)), cmp.Compare(a, b)) })
}

// assignments returns, for each unit, the instances in the order in which they should watch it. The
// first one is the first of ranked that has room: none gets more than its share, rounded up.
func assignments(units []Unit, names []string) map[string][]string {
	total := 0
	for _, u := range units {
		total += len(u.Clusters)
	}
	share := (total + len(names) - 1) / max(1, len(names))
	load := make(map[string]int)
	order := make(map[string][]string, len(units))
	for _, u := range slices.SortedFunc(slices.Values(units), func(a, b Unit) int { return cmp.Compare(a.Key, b.Key) }) {
		list := ranked(u.Key, names)
		at := max(0, slices.IndexFunc(list, func(name string) bool { return load[name] < share }))
		if len(list) > 0 {
			chosen := list[at]
			load[chosen] += len(u.Clusters)
			list = slices.Insert(slices.Delete(list, at, at+1), 0, chosen)
		}
		order[u.Key] = list
	}
	return order
}

// mix spreads the bits of a hash. FNV alone differs little between similar names.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// candidates returns the instances that may watch units of a site: those that live, can probe and are
// not being drained. If there is none, the others that live may.
func candidates(state history.FleetState, site string) (names []string) {
	wanted := []func(history.Instance) bool{
		func(i history.Instance) bool { return i.CanProbe && !i.Draining },
		func(i history.Instance) bool { return i.CanProbe },
		func(history.Instance) bool { return true },
	}
	for _, is := range wanted {
		for _, i := range state.Instances {
			if i.Expires.After(state.Now) && (site == "" || i.Site == site) && is(i) {
				names = append(names, i.Name)
			}
		}
		if len(names) > 0 {
			return names
		}
	}
	return nil
}

// A plan is what an instance does next.
type plan struct {
	take    [][]string // sets of free clusters, to be taken together
	release []string
}

// decide returns what an instance does about its units. freeFor is how long a cluster has been free.
// back is when the database was back: who is not heard of since may just need a moment.
func decide(state history.FleetState, back time.Time, self string, units []Unit, freeFor func(cluster string) time.Duration) plan {
	var next plan
	returning := state.Now.Sub(back) < returnTime || state.Now.Sub(state.Started) < returnTime
	owners := make(map[string]string)
	for _, l := range state.Leases {
		if l.Owner == self || state.Live(l.Owner) || returning && l.Owner != "" {
			owners[l.Cluster] = l.Owner
		}
	}
	next.release = unconfigured(owners, self, units)
	bySite := make(map[string][]Unit)
	for _, u := range units {
		bySite[u.Site] = append(bySite[u.Site], u)
	}
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		next.decideSite(state, owners, self, bySite[site], candidates(state, site), freeFor)
	}
	return next
}

// decideSite decides about the units of a site, which the named instances may watch.
func (next *plan) decideSite(state history.FleetState, owners map[string]string, self string, units []Unit, names []string, freeFor func(cluster string) time.Duration) {
	orders := assignments(units, names)
	moved, most := 0, 1+len(units)/max(1, len(names))/movesPerBeat
	for _, u := range units {
		order := orders[u.Key]
		rank := slices.Index(order, self)
		var free, own []string
		wait := time.Duration(0)
		for _, cluster := range u.Clusters {
			switch owners[cluster] {
			case "":
				free, wait = append(free, cluster), max(wait, freeFor(cluster))
			case self:
				own = append(own, cluster)
			}
		}
		switch {
		case rank < 0: // it is elsewhere, cannot probe, or is being drained
			if len(order) > 0 || u.Site != "" && !isAt(state, self, u.Site) {
				next.release = append(next.release, own...)
			}
		case len(free) > 0 && wait >= time.Duration(rank)*patience:
			next.take = append(next.take, free)
		case rank > 0 && len(own) > 0 && moved < most && isSettled(state, self, order[0]):
			moved++
			next.release = append(next.release, own...)
		}
	}
}

// unconfigured returns the own clusters that the configuration of this instance does not have.
func unconfigured(owners map[string]string, self string, units []Unit) (clusters []string) {
	configured := make(map[string]bool)
	for _, u := range units {
		for _, cluster := range u.Clusters {
			configured[cluster] = true
		}
	}
	for cluster, owner := range owners {
		if owner == self && !configured[cluster] {
			clusters = append(clusters, cluster)
		}
	}
	return clusters
}

// isAt reports whether an instance is at a site.
func isAt(state history.FleetState, name, site string) bool {
	return slices.ContainsFunc(state.Instances, func(i history.Instance) bool { return i.Name == name && i.Site == site })
}

// isSettled reports whether an instance has run for a while, with the same configuration as self.
func isSettled(state history.FleetState, self, name string) bool {
	var digest string
	var to history.Instance
	for _, i := range state.Instances {
		if i.Name == self {
			digest = i.Digest
		}
		if i.Name == name {
			to = i
		}
	}
	return to.Digest == digest && state.Now.Sub(to.Started) >= settleTime
}
