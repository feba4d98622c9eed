package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeWithDamagedHistory: a daemon whose history is damaged watches, keeps the
// file, and tells where in the log, on the page and as an incident of its own.
func TestServeWithDamagedHistory(t *testing.T) {
	dir := t.TempDir()
	file, url := serveFile(t, dir, startedDemo(t))
	history := filepath.Join(dir, "history.db")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	stop := func(cmd interface{ Signal(os.Signal) error }, wait func() int) {
		t.Helper()
		cmd.Signal(syscall.SIGTERM)
		if got := wait(); got != exitOK {
			t.Errorf("got status %d", got)
		}
	}
	first := serveWith(t, file, url, log)
	stop(first.Process, func() int { return exitOf(t, first) })
	for name, damage := range map[string]func(content []byte) []byte{
		"truncated":   func(c []byte) []byte { return c[:len(c)/2] },
		"a page":      func(c []byte) []byte { copy(c[5*4096:], bytes.Repeat([]byte("junk"), 1024)); return c },
		"its header":  func(c []byte) []byte { clear(c[:100]); return c },
		"all of it":   func(c []byte) []byte { return bytes.Repeat([]byte{0xff}, len(c)) },
		"of no bytes": func(c []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(history)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(history, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			const times = ".damaged-*Z"
			timeOrAge, _ := filepath.Glob(history + times)
			cmd := serveWith(t, file, url, log)
			after, _ := filepath.Glob(history + times)
			if len(after) == len(timeOrAge) {
				t.Fatalf("nothing was kept: %q", after)
			}
			kept := after[len(after)-1]
			said, err := os.ReadFile(log.Name())
			if err != nil || !strings.Contains(string(said), kept) {
				t.Errorf("the log does not name %q: %v", kept, err)
			}
			for deadline := time.Now().Add(patienceOfTests); ; time.Sleep(50 * time.Millisecond) {
				_, page := fetchText(t, url+"/")
				status, incidents := fetchText(t, url+"/api/v1/incidents?state=firing")
				if strings.Contains(page, filepath.Base(kept)) && status == http.StatusOK && strings.Contains(incidents, `"history_damaged"`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("neither page nor API tell of it: %s", incidents)
				}
			}
			stop(cmd.Process, func() int { return exitOf(t, cmd) })
		})
	}
}
