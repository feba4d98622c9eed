package sim

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// TestSeeds plays the seeds of testdata/seeds.txt, in which users and notifications
// must agree.
func TestSeeds(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			agree(t, Random(seed, time.Hour, setups), Score.Agrees)
		})
	}
}

// TestSchedules plays the schedules of testdata/schedules, which are shrunk
// counterexamples. A schedule that begins with "# not met:" is known to fail: it is
// played and reported.
func TestSchedules(t *testing.T) {
	files, err := filepath.Glob("testdata/schedules/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d schedules and error %v, want some", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			must.Succeed(t, err)
			s, err := ParseSchedule(string(text))
			must.Succeed(t, err)
			if !strings.HasPrefix(string(text), "# not met:") {
				agree(t, s, Score.Agrees)
				return
			}
			r := play(t, s)
			t.Logf("known not to be met; %d counterexamples this time", len(r.Score().Counterexamples))
		})
	}
}

// agree fails the test if a schedule is wrong twice. Go's scheduler decides which of several
// goroutines that are ready at one moment runs first, so that one play in hundreds differs.
func agree(t *testing.T, s Schedule, right func(Score) bool) {
	t.Helper()
	first := play(t, s)
	if right(first.Score()) {
		return
	}
	second := play(t, s)
	if !right(second.Score()) {
		t.Error(second.Transcript())
		return
	}
	t.Logf("wrong once and right once:\n%s", first.Transcript())
}

// seeds reads testdata/seeds.txt: one seed per line, with an optional comment after #.
func seeds(t *testing.T) (list []uint64) {
	t.Helper()
	f, err := os.Open("testdata/seeds.txt")
	must.Succeed(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("reading testdata/seeds.txt: %v", err)
		}
		list = append(list, seed)
	}
	if len(list) == 0 {
		t.Fatal("testdata/seeds.txt has no seed")
	}
	return list
}

// TestInTime plays faults for which a monitor might wait too long: requests that hang,
// a round that lasts, a client that is new. Users are harmed at once, and the
// notification must come within the bound of Late.
func TestInTime(t *testing.T) {
	for name, text := range map[string]string{
		"a machine that is gone, behind a balancer that waits": `
			cluster random/shared/generic nodes=4 workers=4 zone=false max_fails=3 fail_timeout=10s timeout=5s
			length 6m
			3m10s machine node3 for 1m10s`,
		"a machine that goes while a round looks for an ejected node": `
			cluster httpd-sticky/replicated/tomcat nodes=4 workers=2 zone=false max_fails=2 fail_timeout=10s timeout=1m
			length 6m
			3m10s machine node2 for 1m10s`,
		"a node that is slower than the balancer waits": `
			cluster httpd-sticky/replicated/tomcat nodes=4 workers=3 zone=false max_fails=1 fail_timeout=20s timeout=1s
			length 6m
			3m19.9s slow node3 for 1m10s`,
		"a cache that gives clients each other's session": `
			cluster haproxy-leastconn/shared/generic nodes=3 workers=4 zone=true max_fails=2 fail_timeout=20s timeout=1s
			length 6m
			3m40.7s cache for 1m`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSchedule(text)
			must.Succeed(t, err)
			s.Seed = 9013
			agree(t, s, func(score Score) bool {
				return score.Harms > 0 && score.Count(Late)+score.Count(Silent)+score.Count(False) == 0
			})
		})
	}
}

// TestQuiet checks that a cluster without operations causes neither harm nor
// notification, behind every balancer and under every policy.
func TestQuiet(t *testing.T) {
	for i, setup := range setups {
		t.Run(setup.Name(), func(t *testing.T) {
			s := Schedule{Seed: uint64(i), Length: 6 * time.Minute, Setup: randomSetup(rand.New(rand.NewPCG(uint64(i), 0)), []Setup{setup})}
			r := play(t, s)
			if harms := r.harms(); len(r.Notifications) > 0 || len(harms) > 0 || len(r.Requests) < 500 {
				t.Errorf("%d requests\n%s", len(r.Requests), r.Transcript())
			}
			for _, q := range r.Requests {
				if q.Outcome.Harmful() || q.Outcome == "unknown" || balancers[setup.Balancer].sticky && q.Outcome == "moved" {
					t.Fatalf("got %+v, want it served", q)
				}
			}
		})
	}
}
