package sim

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// play runs a schedule in a bubble.
func play(t *testing.T, s Schedule) (r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// number is an environment variable; the default where it is not set.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return n
}

// TestSimulate is what `make simulate` runs. Without STICKWATCH_SIM_HOURS and
// STICKWATCH_SIM_SCHEDULE it simulates one fresh hour. It reports and does not
// decide: TestSeeds does.
func TestSimulate(t *testing.T) {
	if path := os.Getenv("STICKWATCH_SIM_SCHEDULE"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSchedule(string(text))
		if err != nil {
			t.Fatalf("reading %q: %v", path, err)
		}
		r := play(t, s)
		fmt.Print(r.Story())
		return
	}
	among := matching(os.Getenv("STICKWATCH_SIM_CLUSTERS"))
	if len(among) == 0 {
		t.Fatalf("STICKWATCH_SIM_CLUSTERS is %q: no cluster matches; want part of one of %q", os.Getenv("STICKWATCH_SIM_CLUSTERS"), names(setups))
	}
	hours, first := number(t, "STICKWATCH_SIM_HOURS", 1), number(t, "STICKWATCH_SIM_SEED", uint64(time.Now().UnixNano()))
	fmt.Printf("simulating %d hours, seeds %d to %d\n", hours, first, first+hours-1)
	c := &collector{t: t, began: time.Now(), hours: hours, kinds: make(map[string][]found)}
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+hours; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				c.add(play(t, Random(seed, time.Hour, among)))
			})
		}
	})
	c.report(t)
}

// A found counterexample has the schedule that yields it.
type found struct {
	Counterexample
	schedule Schedule
}

// A collector gathers the results of simulations that run side by side.
type collector struct {
	t     *testing.T
	began time.Time
	hours uint64

	mu       sync.Mutex
	campaign Campaign
	kinds    map[string][]found
	shown    time.Time
}

func (c *collector) add(r Result) {
	score := r.Score()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.campaign.Add(r.Schedule, score)
	for _, x := range score.Counterexamples {
		c.kinds[x.Kind()] = append(c.kinds[x.Kind()], found{x, r.Schedule})
	}
	if time.Since(c.shown) > 30*time.Second {
		c.shown = time.Now()
		total := c.campaign.Total
		fmt.Printf("%v: %.0f of %d hours, %d operations; %d without notification, %d without harm, %d wrong of %d incidents\n",
			time.Since(c.began).Round(time.Second), c.campaign.Simulated.Hours(), c.hours, total.Operations,
			total.Count(Silent), total.Count(False), total.Count(Wrong), total.Incidents)
	}
}

// report prints the kinds of counterexamples, the most frequent first, the first
// of each shrunk, and the table.
func (c *collector) report(t *testing.T) {
	list := slices.SortedFunc(maps.Keys(c.kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(c.kinds[b]), len(c.kinds[a])), cmp.Compare(a, b))
	})
	for _, kind := range list {
		while := make(map[string]int)
		for _, f := range c.kinds[kind] {
			while[f.While]++
		}
		fmt.Printf("\n== %d times: %s\n", len(c.kinds[kind]), kind)
		for _, w := range slices.SortedFunc(maps.Keys(while), func(a, b string) int { return cmp.Or(while[b]-while[a], cmp.Compare(a, b)) })[:min(8, len(while))] {
			fmt.Printf("   %d while %s\n", while[w], w)
		}
		c.example(t, kind)
	}
	table := c.campaign.Table()
	fmt.Printf("\n%s", table)
	if path := os.Getenv("STICKWATCH_SIM_TABLE"); path != "" {
		writeTable(t, path, table)
	}
}

// example shows the first counterexample of a kind, shrunk where that is asked for.
func (c *collector) example(t *testing.T, kind string) {
	first := slices.MinFunc(c.kinds[kind], func(a, b found) int { return len(a.schedule.Operations) - len(b.schedule.Operations) })
	if os.Getenv("STICKWATCH_SIM_SHRINK") == "" {
		fmt.Printf("   seed %d, %s\n   %v\n", first.schedule.Seed, first.schedule.Setup, first.Counterexample)
		return
	}
	small := shrink(first.schedule, kind, func(s Schedule) Result { return play(t, s) })
	r := play(t, small)
	fmt.Print(indent(r.Story()))
}

func indent(text string) string {
	return "   " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n   ") + "\n"
}
