package daemon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// clockFile is the environment variable with the file that says by how many seconds the wall clock of
// a daemon is off.
const clockFile = "STICKWATCH_TEST_CLOCK"

// skewable builds this test binary with a wall clock that can be set; see testdata/clock.
var skewable = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "stickwatch-clock-")
	if err != nil {
		return "", err
	}
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

func newWallClock(t *testing.T, dir, name string) wallClock {
	t.Helper()
	c := wallClock{filepath.Join(dir, name+".clock")}
	c.set(t, 0)
	return c
}

// set makes it differ from that of the machine.
func (c wallClock) set(t *testing.T, off time.Duration) {
	t.Helper()
	next := c.file + ".next"
	if err := os.WriteFile(next, fmt.Append(nil, int(off.Seconds())), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, c.file); err != nil {
		t.Fatal(err)
	}
}
