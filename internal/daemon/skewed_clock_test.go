package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/must"
)

// clockFile is the environment variable with the file that says by how many seconds the wall clock of
// a daemon is off.
const clockFile = "STICKWATCH_TEST_CLOCK"

var skewableDir string // of the binary of skewable; "": it was not built

// skewable builds this test binary with a wall clock that can be set; see testdata/clock.
var skewable = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "stickwatch-clock-")
	if err != nil {
		return "", err
	}
	skewableDir = dir
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(string(bytes.TrimSpace(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	const reads, skews = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "\tsec += skew.Load()\n"
	patched := bytes.Replace(source, []byte(reads), []byte(reads+skews), 1)
	if bytes.Equal(patched, source) {
		return "", fmt.Errorf("patching %q: time.Now is written in another way", std)
	}
	own, err := filepath.Abs("testdata/clock/skew.go.txt")
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(std, "time.go"): filepath.Join(dir, "time.go"), filepath.Join(std, "skew.go"): own,
	}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "daemon.test")
	for name, text := range map[string][]byte{"time.go": patched, "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	if out, err := exec.Command("go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building with a clock that can be set: %w: %s", err, out)
	}
	return path, nil
})

// A wallClock is the wall clock of the daemons of an instance.
type wallClock struct{ file string }

// setClocks gives instances that are started from now on wall clocks that can be set.
func (f *fleetRig) setClocks(t *testing.T, instances ...string) map[string]wallClock {
	t.Helper()
	binary, err := skewable()
	must.Succeed(t, err)
	clocks := make(map[string]wallClock)
	for _, name := range instances {
		clocks[name] = wallClock{filepath.Join(f.dir, name+".clock")}
		clocks[name].set(t, 0)
	}
	f.command = func(name string) *exec.Cmd {
		cmd := exec.Command(binary)
		cmd.Env = []string{clockFile + "=" + clocks[name].file}
		return cmd
	}
	return clocks
}

// set makes it differ from that of the machine.
func (c wallClock) set(t *testing.T, off time.Duration) {
	t.Helper()
	next := c.file + ".next"
	must.Succeed(t, os.WriteFile(next, fmt.Append(nil, int(off.Seconds())), 0o600))
	must.Succeed(t, os.Rename(next, c.file))
}

// TestFleetClocks: with clocks that are a minute apart, and set while instances run, every cluster is
// probed, and its history and incidents have the times of the database.
func TestFleetClocks(t *testing.T) {
	f := newSessionRig(t, 4).fleetRig
	clocks := f.setClocks(t, "a", "b")
	clocks["b"].set(t, time.Minute)
	for _, name := range []string{"a", "b"} {
		f.start(t, name)
	}
	await(t, 2*time.Minute, "each instance has clusters", func() bool { return f.owned(t, "a", "b") })
	f.probedNow(t, "one is ahead from its start")
	clocks["a"].set(t, -time.Minute)
	f.probedNow(t, "one is set back")
	clocks["b"].set(t, 0)
	f.probedNow(t, "one is put right")
	began := time.Now()
	must.Succeed(t, f.Break("redis-down"))
	var list []apiIncident
	await(t, time.Minute, "an incident of each cluster", func() bool {
		list, _ = f.running["a"].incidents(t.Context())
		return countFired(list) == len(f.clusters)
	})
	for _, i := range list {
		if at, err := time.Parse(time.RFC3339, i.Fired); err != nil || at.Before(began.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("incident %s fired at %s, want a time since %s (%v)", i.ID, i.Fired, began, err)
		}
	}
	await(t, time.Minute, "the page names the clock that is off", func() bool {
		_, page := f.running["b"].request(t, "/")
		return strings.Contains(page, "The clock of the instance &#34;a&#34; is 1 min behind") && !strings.Contains(page, "instance &#34;b&#34;")
	})
}

// targets returns the targets of a cluster that were probed in the last day.
func (f *fleetRig) targets(t *testing.T, cluster string) (targets []checks.Target) {
	t.Helper()
	uptimes, err := f.reader.Uptimes(t.Context(), cluster, checks.Span{From: time.Now().Add(-24 * time.Hour), To: time.Now().Add(24 * time.Hour)})
	must.Succeed(t, err)
	for _, u := range uptimes {
		targets = append(targets, u.Target)
	}
	return targets
}

// probedNow waits until every cluster has been probed for five seconds from now on, as its history says.
func (f *fleetRig) probedNow(t *testing.T, when string) {
	t.Helper()
	f.state(t)
	span := checks.Span{From: time.Now(), To: time.Now().Add(5 * time.Second)}
	for _, cluster := range f.clusters {
		await(t, time.Minute, cluster+" is probed when "+when, func() bool {
			targets := f.targets(t, cluster)
			points, err := f.reader.Points(t.Context(), targets, span, time.Second)
			must.Succeed(t, err)
			seconds := make(map[time.Time]bool)
			for _, list := range points {
				for _, p := range list {
					seconds[p.At] = true
				}
			}
			return len(seconds) >= 4
		})
	}
}
