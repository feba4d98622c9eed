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
	rows []*scoreRow
}

// A scoreRow is a row: every run counts once.
type scoreRow struct {
	Scenario, Balancer string
	Healthy            bool   // nothing is wrong, and nothing may be found
	Known              string // why it is not found; "": it should be

	runCounts
}

// A runCounts is what came of runs.
type runCounts struct {
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
	i := slices.IndexFunc(c.rows, func(row *scoreRow) bool { return row.Scenario == s.name && row.Balancer == f.name })
	if i < 0 {
		i = len(c.rows)
		c.rows = append(c.rows, &scoreRow{Scenario: s.name, Balancer: f.name, Healthy: s.healthy(), Known: s.knownGap(f).why})
	}
	t := runCounts{Runs: 1, Slowest: r.Duration}
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
	c.rows[i].runCounts = c.rows[i].plus(t)
}

func (t runCounts) plus(o runCounts) runCounts {
	return runCounts{
		t.Runs + o.Runs, t.Found + o.Found, t.Missed + o.Missed,
		t.WrongClass + o.WrongClass, t.FalseAlarm + o.FalseAlarm, max(t.Slowest, o.Slowest),
	}
}

// A line is a tally of all that have one name.
type line struct {
	Name string
	runCounts
}

// by adds up the rows by a name that they have in common, in the order of the
// names.
func (c *scorecard) by(name func(*scoreRow) string) []line {
	sums := make(map[string]runCounts)
	for _, row := range c.rows {
		sums[name(row)] = sums[name(row)].plus(row.runCounts)
	}
	var lines []line
	for _, n := range slices.Sorted(maps.Keys(sums)) {
		lines = append(lines, line{n, sums[n]})
	}
	return lines
}

// of adds up the rows that are of healthy clusters, or those that are not.
func (c *scorecard) of(healthy bool) runCounts {
	var all runCounts
	for _, row := range c.rows {
		if row.Healthy == healthy {
			all = all.plus(row.runCounts)
		}
	}
	return all
}
