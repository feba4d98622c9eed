package lab

import (
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
)

// A scorecard counts the results of every scenario behind every balancer. `make
// scenarios` writes it to SCENARIOS.md.
type scorecard struct {
	mu   sync.Mutex
	rows []*scoreRow
}

// A scoreRow is a row: every run counts once.
type scoreRow struct {
	Scenario, Balancer string
	Healthy            bool   // there is no fault, and no finding is allowed
	Known              string // why it is not detected; "": it should be

	runCounts
}

// runCounts are the results of runs.
type runCounts struct {
	Runs       int
	Found      int // all wanted findings, and no others
	Missed     int // a wanted finding is missing, and there is no other
	WrongClass int // there is another finding instead
	FalseAlarm int // there is another finding beside the wanted ones
	Slowest    time.Duration
}

// add counts a run. There is no delay to measure, because a scenario has a single
// round.
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

// A line is the sum of all rows with the same name.
type line struct {
	Name string
	runCounts
}

// by sums up the rows by a name, sorted.
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

// of sums up the rows of healthy clusters, or all others.
func (c *scorecard) of(healthy bool) runCounts {
	var all runCounts
	for _, row := range c.rows {
		if row.Healthy == healthy {
			all = all.plus(row.runCounts)
		}
	}
	return all
}
