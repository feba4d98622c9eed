package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"stickwatch/checks"
)

// A scorecard counts, for every scenario behind every balancer, what came of
// its runs. `make scenarios` prints it.
type scorecard struct {
	mu   sync.Mutex
	rows []*score
}

// A score is a row: every run counts once.
type score struct {
	scenario, front string
	runs            int
	found           int // all that was wanted, and nothing else
	missed          int // something that was wanted is not there, and nothing else is
	wrongClass      int // something else is there in its stead
	falseAlarm      int // something else is there beside it
	slowest         time.Duration
	known           string // why it is not found; "": it should be
}

// add counts a run. What was found tells is a matter of milliseconds: one round
// is all the time a scenario has.
func (c *scorecard) add(scenario, front, known string, missing, unexpected []string, r checks.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.rows, func(s *score) bool { return s.scenario == scenario && s.front == front })
	if i < 0 {
		c.rows, i = append(c.rows, &score{scenario: scenario, front: front, known: known}), len(c.rows)
	}
	s := c.rows[i]
	s.runs++
	s.slowest = max(s.slowest, r.Duration)
	switch {
	case len(missing) == 0 && len(unexpected) == 0:
		s.found++
	case len(missing) > 0 && len(unexpected) > 0:
		s.wrongClass++
	case len(missing) > 0:
		s.missed++
	default:
		s.falseAlarm++
	}
}

// write puts the card where STICKWATCH_SCENARIO_TABLE says.
func (c *scorecard) write(t *testing.T) {
	path := os.Getenv("STICKWATCH_SCENARIO_TABLE")
	if path == "" {
		return
	}
	slices.SortStableFunc(c.rows, func(a, b *score) int { return cmp.Compare(a.scenario, b.scenario) })
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tBALANCER\tRUNS\tFOUND\tMISSED\tWRONG CLASS\tFALSE ALARM\tSLOWEST\tKNOWN")
	var sum score
	for _, s := range c.rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", s.scenario, s.front, s.runs, s.found, s.missed, s.wrongClass, s.falseAlarm, s.slowest.Round(time.Millisecond), s.known)
		sum.runs, sum.found, sum.missed = sum.runs+s.runs, sum.found+s.found, sum.missed+s.missed
		sum.wrongClass, sum.falseAlarm = sum.wrongClass+s.wrongClass, sum.falseAlarm+s.falseAlarm
	}
	fmt.Fprintf(w, "all %d\t\t%d\t%d\t%d\t%d\t%d\t\t\n", len(c.rows), sum.runs, sum.found, sum.missed, sum.wrongClass, sum.falseAlarm)
	w.Flush()
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Errorf("writing the table of scenarios: %v", err)
	}
}
