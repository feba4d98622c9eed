package config

import (
	"testing"
	"time"

	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

func TestParseWeekly(t *testing.T) {
	const sun, mon, tue, wed, thu, fri, sat = 0, 1, 2, 3, 4, 5, 6
	days := func(list ...int) (out [7]bool) {
		for _, d := range list {
			out[d] = true
		}
		return out
	}
	for text, want := range map[string]Weekly{
		"Sun 02:00-04:00":         {Days: days(sun), From: 120, To: 240},
		"sunday 02:00 - 04:00":    {},
		"Mon-Fri 22:00-01:00":     {Days: days(mon, tue, wed, thu, fri), From: 22 * 60, To: 60},
		"Sat,Sun 00:00-24:00":     {Days: days(sat, sun), From: 0, To: 24 * 60},
		"Sat-Mon 23:59-00:00":     {Days: days(sat, sun, mon), From: 24*60 - 1, To: 0},
		"Mon,Wed-Thu 01:00-02:30": {Days: days(mon, wed, thu), From: 60, To: 150},
		"daily 03:00-03:15":       {Days: days(sun, mon, tue, wed, thu, fri, sat), From: 180, To: 195},
		"Monday 03:00-03:15":      {Days: days(mon), From: 180, To: 195},
		"":                        {},
		"Sun":                     {},
		"Sun 02:00":               {},
		"Sun 2:00-4:00":           {},
		"Sun 02:60-04:00":         {},
		"Sun 24:01-04:00":         {},
		"Sun 24:00-04:00":         {},
		"Sun 02:00-02:00":         {},
		"Sun -1:00-02:00":         {},
		"Son 02:00-04:00":         {},
		"Sun, 02:00-04:00":        {},
	} {
		got, err := parseWeekly(text, nil)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != Weekly{}) {
			t.Errorf("ParseWeekly(%q): error %v, -want +got:\n%s", text, err, diff)
		}
	}
}

func TestWeeklyContains(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	must.Succeed(t, err)
	berlin, err := time.LoadLocation("Europe/Berlin")
	must.Succeed(t, err)
	tests := []struct {
		window  string
		keyPath *time.Location
		at      string // 2025-03-02 is a Sunday
		want    bool
	}{
		{"Sun 02:00-04:00", time.UTC, "2025-03-02T01:59:59Z", false},
		{"Sun 02:00-04:00", time.UTC, "2025-03-02T02:00:00Z", true},
		{"Sun 02:00-04:00", time.UTC, "2025-03-02T03:59:59Z", true},
		{"Sun 02:00-04:00", time.UTC, "2025-03-02T04:00:00Z", false},
		{"Sun 02:00-04:00", time.UTC, "2025-03-03T03:00:00Z", false},
		{"Sun 02:00-04:00", shanghai, "2025-03-01T18:30:00Z", true},
		{"Sun 02:00-04:00", shanghai, "2025-03-02T02:30:00Z", false},
		{"Sat 22:00-01:00", time.UTC, "2025-03-01T22:00:00Z", true},
		{"Sat 22:00-01:00", time.UTC, "2025-03-02T00:59:59Z", true},
		{"Sat 22:00-01:00", time.UTC, "2025-03-02T01:00:00Z", false},
		{"Sat 22:00-01:00", time.UTC, "2025-03-02T22:30:00Z", false},
		{"Sat 22:00-01:00", time.UTC, "2025-03-01T00:30:00Z", false},
		{"Sun 00:00-24:00", time.UTC, "2025-03-02T23:59:59Z", true},
		{"Sun 03:00-04:00", berlin, "2025-03-30T01:30:00Z", true}, // summer time began at 2:00
	}
	for _, tt := range tests {
		w, err := parseWeekly(tt.window, tt.keyPath)
		must.Succeed(t, err)
		at, err := time.Parse(time.RFC3339, tt.at)
		must.Succeed(t, err)
		if got := w.Contains(at); got != tt.want {
			t.Errorf("%q in %s contains %s: got %t, want %t", tt.window, tt.keyPath, tt.at, got, tt.want)
		}
	}
}
