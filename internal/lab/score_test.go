package lab

import (
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
)

// A scorecard counts, for every scenario behind every balancer, what came of
// its runs. `make scenarios` writes it down: see SCENARIOS.md.
type scorecard struct {
	mu   sync.Mutex
	rows []*score
}

// A score is a row: every run counts once.
type score struct {
	Scenario, Balancer string
	Healthy            bool   // nothing is wrong, and nothing may be found
	Known              string // why it is not found; "": it should be

	tally
}

// A tally is what came of runs.
type tally struct {
	Runs       int
	Found      int // all that was wanted, and nothing else
	Missed     int // something that was wanted is not there, and nothing else is
	WrongClass int // something else is there in its stead
	FalseAlarm int // something else is there beside it
	Slowest    time.Duration
}

// add counts a run. What was found tells is a matter of milliseconds: one round
// is all the time a scenario has.
func (c *scorecard) add(s scenario, f front, missing, unexpected []string, r checks.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.rows, func(row *score) bool { return row.Scenario == s.name && row.Balancer == f.name })
	if i < 0 {
		i = len(c.rows)
		c.rows = append(c.rows, &score{Scenario: s.name, Balancer: f.name, Healthy: s.healthy(), Known: s.shortcoming(f).why})
	}
	t := tally{Runs: 1, Slowest: r.Duration}
	switch {
	case len(missing) == 0 && len(unexpected) == 0:
		t.Found = 1
	case len(missing) > 0 && len(unexpected) > 0:
		t.WrongClass = 1
	case len(missing) > 0:
		t.Missed = 1
	default:
		t.FalseAlarm = 1
	}
	c.rows[i].tally = c.rows[i].plus(t)
}

func (t tally) plus(o tally) tally {
	return tally{
		t.Runs + o.Runs, t.Found + o.Found, t.Missed + o.Missed,
		t.WrongClass + o.WrongClass, t.FalseAlarm + o.FalseAlarm, max(t.Slowest, o.Slowest),
	}
}

// A line is a tally of all that have one name.
type line struct {
	Name string
	tally
}

// by adds up the rows by a name that they have in common, in the order of the
// names.
func (c *scorecard) by(name func(*score) string) []line {
	sums := make(map[string]tally)
	for _, row := range c.rows {
		sums[name(row)] = sums[name(row)].plus(row.tally)
	}
	var lines []line
	for _, n := range slices.Sorted(maps.Keys(sums)) {
		lines = append(lines, line{n, sums[n]})
	}
	return lines
}

// of adds up the rows that are of healthy clusters, or those that are not.
func (c *scorecard) of(healthy bool) tally {
	var all tally
	for _, row := range c.rows {
		if row.Healthy == healthy {
			all = all.plus(row.tally)
		}
	}
	return all
}
