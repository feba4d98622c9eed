package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/render"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 250e6, time.UTC)
	parse := timeOrAge(now)
	for text, want := range map[string]time.Time{
		"24h":                  now.Add(-24 * time.Hour),
		"7d":                   now.Add(-7 * 24 * time.Hour),
		"2026-03-01T10:00:00Z": time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		"2026-03-01":           time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local),
		"2026-03-01 10:05":     time.Date(2026, 3, 1, 10, 5, 0, 0, time.Local),
		"2026-03-01T10:05:06":  time.Date(2026, 3, 1, 10, 5, 6, 0, time.Local),
	} {
		if got, err := parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1h", "yesterday", "2026-02-30", "2026-03-01T10:00:00Zx"} {
		if got, err := parse(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestTerminalOptionsOfAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must.Succeed(t, err)
	defer f.Close()
	got := terminalOptions(f, []string{"TERM=xterm-256color", "COLORTERM=truecolor"})
	expect.Equal(t, "options of a file", render.Options{}, got)
}
