package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/users"
)

// The scale of harm. What lies between the least and the sure measures is left to
// the judge: a monitor that asks now and then cannot know it exactly.
const (
	interval    = 3 * time.Second // of canaries
	leastSpread = interval        // errors over less than this are no harm worth a critical
	sureSpread  = 4 * interval    // errors over at least this are
	leastUsers  = 2               // so many users who met errors may be worth a critical
	sureUsers   = 3               // so many are
	sureLosers  = 2               // users who lost sessions against the promise
	together    = 3 * interval    // errors no further apart belong together
)

// A harm is one row of the scale: something that happened to users for which a
// notification is due.
type harm struct {
	row      row
	from, to time.Time // from when on it happened; when the last of it was met
	first    time.Time // when the first user met it
	users    []int     // sorted
	sure     bool      // it must be notified; else it may be
	by       *Operation
	met      users.Totals
}

// A row of the scale of harm.
type row string

const (
	rowErrors  row = "errors or wrong pages"                               // critical
	rowBroken  row = "lost, stale or foreign sessions against the promise" // critical
	rowExcused row = "sessions lost with a node, as promised"              // part of that node's line, a warning at least
	rowShort   row = "errors in an announced deployment"                   // part of its summary
)

func (h harm) String() string {
	var met []string
	for _, o := range users.Outcomes {
		if h.met[o] > 0 {
			met = append(met, fmt.Sprintf("%d %s", h.met[o], o))
		}
	}
	s := fmt.Sprintf("%s: %s, %d users, over %v", h.row, strings.Join(met, ", "), len(h.users), h.to.Sub(h.first).Round(100*time.Millisecond))
	if h.by != nil {
		s += fmt.Sprintf(", by %q", h.by)
	}
	return s
}

func (h *harm) add(r users.Request, since time.Time) {
	if h.users == nil {
		h.from, h.first, h.met = since, r.At, users.Totals{}
	}
	if since.Before(h.from) {
		h.from = since
	}
	if r.At.After(h.to) {
		h.to = r.At
	}
	if at, found := slices.BinarySearch(h.users, r.User); !found {
		h.users = slices.Insert(h.users, at, r.User)
	}
	h.met[r.Outcome]++
}

// A loss is a request that found its session gone, older or another's.
type loss struct {
	users.Request
	since time.Time // when the user had been there before: it happened in between
}

// harms sorts what users met into the rows of the scale.
func (r Result) harms() []harm {
	var errors []users.Request
	var losses []loss
	before := make(map[int]time.Time) // a user's request before
	for _, q := range r.Requests {
		switch q.Outcome {
		case users.Error, users.WrongPage:
			errors = append(errors, q)
		case users.Lost, users.Stale, users.Foreign:
			losses = append(losses, loss{q, before[q.User]})
		}
		if q.Outcome != users.Error {
			before[q.User] = q.At
		}
	}
	return append(r.announced(errorHarms(errors)), r.lossHarms(losses)...)
}

// maxUnserved is how long a deployment may leave clients without an answer.
const maxUnserved = time.Minute

// announced makes errors part of a deployment's summary that it explains.
func (r Result) announced(list []harm) []harm {
	for i, h := range list {
		for n, o := range r.Schedule.Operations {
			k, _ := kindOf(o.Kind)
			if k.announced && !h.first.Before(r.at(o.At)) && !h.first.After(r.settled(o)) && h.to.Sub(h.first) < maxUnserved {
				list[i].row, list[i].by = rowShort, &r.Schedule.Operations[n]
			}
		}
	}
	return list
}

// errorHarms joins errors that are close to each other.
func errorHarms(requests []users.Request) (list []harm) {
	for _, q := range requests {
		if n := len(list); n == 0 || q.At.Sub(list[n-1].to) > together {
			list = append(list, harm{row: rowErrors})
		}
		list[len(list)-1].add(q, q.At)
	}
	list = slices.DeleteFunc(list, func(h harm) bool { return len(h.users) < leastUsers || h.to.Sub(h.first) < leastSpread })
	for i := range list {
		list[i].sure = len(list[i].users) >= sureUsers && list[i].to.Sub(list[i].first) >= sureSpread
	}
	return list
}

// lossHarms joins losses by the operation that excuses them, and those that none
// does by their time.
func (r Result) lossHarms(losses []loss) []harm {
	const apart = time.Minute
	var broken, excused []harm
	for _, l := range losses {
		if by := r.excuse(l); by != nil {
			i := slices.IndexFunc(excused, func(h harm) bool { return h.by.At == by.At })
			if i < 0 {
				excused, i = append(excused, harm{row: rowExcused, by: by}), len(excused)
			}
			excused[i].add(l.Request, l.since)
			continue
		}
		if n := len(broken); n == 0 || l.At.Sub(broken[n-1].to) > apart {
			broken = append(broken, harm{row: rowBroken})
		}
		broken[len(broken)-1].add(l.Request, l.since)
	}
	list := append(broken, excused...)
	for i := range list {
		list[i].sure = len(list[i].users) >= sureLosers
	}
	return list
}

// excuse is the operation that a loss is part of: under sticky, one in which the
// session's node, or the one that answered, was not well since the user's request
// before. While the balancer keeps a node ejected its clients are elsewhere, and
// lose what they open there when they return.
func (r Result) excuse(l loss) *Operation {
	if l.Outcome != users.Lost || !sticks(r.Schedule.Setup) {
		return nil
	}
	var by *Operation
	for i, o := range r.Schedule.Operations {
		k, _ := kindOf(o.Kind)
		about := slices.Contains(o.Nodes, l.Owner) || slices.Contains(o.Nodes, l.Node)
		if k.unwell && about && !l.since.After(r.settled(o)) && !l.At.Before(r.at(o.At)) {
			by = &r.Schedule.Operations[i]
		}
	}
	return by
}

// at is a moment of the schedule on the virtual clock.
func (r Result) at(d time.Duration) time.Time { return r.Began.Add(d) }

// settled is when the balancer has readmitted the nodes of an operation.
func (r Result) settled(o Operation) time.Time {
	_, after := balancers[r.Schedule.Setup.Balancer].readmits(r.Schedule.Setup)
	return r.at(o.end(r.Schedule.Setup)).Add(after + 2*time.Second)
}
