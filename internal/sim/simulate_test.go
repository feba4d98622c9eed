package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/must"
)

// TestMain uses one processor, so that runs of a schedule agree, and a higher GOGC,
// because simulations produce much garbage and little live data.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	m.Run()
}

// play runs a schedule in a synctest bubble.
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

// number returns an environment variable, or the default where it is not set.
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

// TestSimulate implements `make simulate`. Without STICKWATCH_SIM_HOURS and
// STICKWATCH_SIM_SCHEDULE it simulates one hour with a new seed, in CI four. It only
// reports: TestSeeds and TestSchedules decide.
func TestSimulate(t *testing.T) {
	if path := os.Getenv("STICKWATCH_SIM_SCHEDULE"); path != "" {
		text, err := os.ReadFile(path)
		must.Succeed(t, err)
		s, err := ParseSchedule(string(text))
		if err != nil {
			t.Fatalf("reading %q: %v", path, err)
		}
		r := play(t, s)
		fmt.Print(r.Transcript())
		return
	}
	among := matching(os.Getenv("STICKWATCH_SIM_CLUSTERS"))
	if len(among) == 0 {
		t.Fatalf("STICKWATCH_SIM_CLUSTERS is %q: no cluster matches; want part of one of %q", os.Getenv("STICKWATCH_SIM_CLUSTERS"), names(setups))
	}
	hours := uint64(1)
	if os.Getenv("CI") != "" {
		hours = 4
	}
	hours = number(t, "STICKWATCH_SIM_HOURS", hours)
	first := number(t, "STICKWATCH_SIM_SEED", uint64(time.Now().UnixNano()))
	c := &collector{began: time.Now(), hours: hours, Kinds: make(map[string][]found)}
	if jobs := min(number(t, "STICKWATCH_SIM_JOBS", 1), hours); jobs > 1 {
		c.delegate(t, first, jobs)
	} else {
		fmt.Printf("simulating %d hours, seeds %d to %d\n", hours, first, first+hours-1)
		for seed := first; seed < first+hours; seed++ {
			r := play(t, Random(seed, time.Hour, among))
			c.add(r)
			if hours == 1 && os.Getenv("STICKWATCH_SIM_SEED") != "" && os.Getenv("STICKWATCH_SIM_RESULT") == "" {
				fmt.Print(r.Transcript())
			}
		}
	}
	if path := os.Getenv("STICKWATCH_SIM_RESULT"); path != "" {
		c.save(t, path)
		return
	}
	c.report(t)
}

// delegate starts other processes, one per processor, and adds up their results.
func (c *collector) delegate(t *testing.T, first, jobs uint64) {
	t.Helper()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for job := range jobs {
		from, to := c.hours*job/jobs, c.hours*(job+1)/jobs
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSimulate$", "-test.timeout=0")
		cmd.Env = append(os.Environ(), "STICKWATCH_SIM_JOBS=1",
			fmt.Sprintf("STICKWATCH_SIM_SEED=%d", first+from), fmt.Sprintf("STICKWATCH_SIM_HOURS=%d", to-from),
			fmt.Sprintf("STICKWATCH_SIM_RESULT=%s/%d.json", dir, job))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		wg.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("simulating seeds %d to %d: %v", first+from, first+to-1, err)
			}
		})
	}
	wg.Wait()
	for job := range jobs {
		c.load(t, fmt.Sprintf("%s/%d.json", dir, job))
	}
}

// A found is a counterexample with the schedule that yields it.
type found struct {
	Counterexample
	Schedule Schedule
}

// A collector gathers the results of simulations.
type collector struct {
	began time.Time
	hours uint64
	shown time.Time

	ScoreSummary ScoreSummary
	Kinds        map[string][]found
	Agree        []uint64 // seeds without a counterexample that decides
}

// save writes the results to a file that load reads.
func (c *collector) save(t *testing.T, path string) {
	t.Helper()
	text, err := json.Marshal(c)
	must.Succeed(t, err)
	must.Succeed(t, os.WriteFile(path, text, 0o600))
}

// load adds the results that another collector saved.
func (c *collector) load(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must.Succeed(t, err)
	var other collector
	if err := json.Unmarshal(text, &other); err != nil {
		t.Fatalf("reading %q: %v", path, err)
	}
	c.ScoreSummary.plus(other.ScoreSummary)
	c.Agree = append(c.Agree, other.Agree...)
	for kind, list := range other.Kinds {
		c.Kinds[kind] = append(c.Kinds[kind], list...)
	}
}

func (c *collector) add(r Result) {
	score := r.Score()
	c.ScoreSummary.Add(r.Schedule, score)
	if score.Agrees() {
		c.Agree = append(c.Agree, r.Schedule.Seed)
	}
	for _, x := range score.Counterexamples {
		c.Kinds[x.Kind()] = append(c.Kinds[x.Kind()], found{x, r.Schedule})
	}
	if time.Since(c.shown) > 30*time.Second {
		c.shown = time.Now()
		total := c.ScoreSummary.Total
		fmt.Printf("%v: %.0f of %d hours, %d operations; %d without notification, %d without harm, %d wrong of %d incidents\n",
			time.Since(c.began).Round(time.Second), c.ScoreSummary.Simulated.Hours(), c.hours, total.Operations,
			total.Count(Silent), total.Count(False), total.Count(Wrong), total.Incidents)
	}
}

// report logs the kinds of counterexamples, the most frequent first, with the first
// example of each, and the table.
func (c *collector) report(t *testing.T) {
	list := slices.SortedFunc(maps.Keys(c.Kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(c.Kinds[b]), len(c.Kinds[a])), cmp.Compare(a, b))
	})
	for _, kind := range list {
		while := make(map[string]int)
		for _, f := range c.Kinds[kind] {
			while[f.While]++
		}
		fmt.Printf("\n== %d times: %s\n", len(c.Kinds[kind]), kind)
		for _, w := range slices.SortedFunc(maps.Keys(while), func(a, b string) int { return cmp.Or(while[b]-while[a], cmp.Compare(a, b)) })[:min(8, len(while))] {
			fmt.Printf("   %d while %s\n", while[w], w)
		}
		c.example(t, kind)
	}
	fmt.Printf("\nusers and notifications agree in %d of %d seeds: %d\n", len(c.Agree), c.hours, c.Agree)
	table := c.ScoreSummary.Table()
	fmt.Printf("\n%s", table)
	if path := os.Getenv("STICKWATCH_SIM_TABLE"); path != "" {
		writeTable(t, path, table)
	}
}

// example logs the first counterexample of a kind, shrunk if SHRINK is set.
func (c *collector) example(t *testing.T, kind string) {
	first := slices.MinFunc(c.Kinds[kind], func(a, b found) int { return len(a.Schedule.Operations) - len(b.Schedule.Operations) })
	if os.Getenv("STICKWATCH_SIM_SHRINK") == "" {
		fmt.Printf("   seed %d, %s\n   %v\n", first.Schedule.Seed, first.Schedule.Setup, first.Counterexample)
		return
	}
	small := shrink(first.Schedule, kind, func(s Schedule) Result { return play(t, s) })
	r := play(t, small)
	fmt.Print(indent(r.Transcript()))
}

func indent(text string) string {
	return "   " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n   ") + "\n"
}

// The section of SCENARIOS.md that `make simulate` writes.
const (
	tableTitle = "## Simulation"
	nextTitle  = "\n## "
)

// writeTable replaces the table in a file.
func writeTable(t *testing.T, path, table string) {
	t.Helper()
	old, err := os.ReadFile(path)
	must.Succeed(t, err)
	must.Succeed(t, os.WriteFile(path, []byte(withTable(string(old), table)), 0o644))
}

// withTable returns a page with the section replaced or appended.
func withTable(page, table string) string {
	before, after, found := strings.Cut(page, tableTitle+"\n")
	if !found {
		return strings.TrimRight(page, "\n") + "\n\n" + tableTitle + "\n\n" + table
	}
	if at := strings.Index(after, nextTitle); at >= 0 {
		return before + tableTitle + "\n\n" + table + after[at:]
	}
	return before + tableTitle + "\n\n" + table
}
