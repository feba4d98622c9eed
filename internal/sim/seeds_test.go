package sim

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSeeds plays the seeds of testdata/seeds.txt, in which users and notifications
// must agree.
func TestSeeds(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			agree(t, play(t, Random(seed, time.Hour, setups)))
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
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseSchedule(string(text))
			if err != nil {
				t.Fatal(err)
			}
			r := play(t, s)
			if !strings.HasPrefix(string(text), "# not met:") {
				agree(t, r)
				return
			}
			t.Logf("known not to be met; %d counterexamples this time", len(r.Score().Counterexamples))
		})
	}
}

// agree fails the test if users and notifications disagree.
func agree(t *testing.T, r Result) {
	t.Helper()
	if !r.Score().Agrees() {
		t.Error(r.Transcript())
	}
}

// seeds reads testdata/seeds.txt: one seed per line, with an optional comment after #.
func seeds(t *testing.T) (list []uint64) {
	t.Helper()
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
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
