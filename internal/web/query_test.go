package web

import (
	"testing"
	"time"
)

func TestParseTimestamp(t *testing.T) {
	for value, want := range map[string]time.Time{
		"24h":                       testTime.Add(-24 * time.Hour),
		"1h30m":                     testTime.Add(-90 * time.Minute),
		"7d":                        testTime.AddDate(0, 0, -7),
		"2w":                        testTime.AddDate(0, 0, -14),
		"2026-03-14T08:00:00+08:00": time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTimestamp(value, testTime); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v, want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"", "7", "d", "-7d", "0h", "-1h", "99999999d", "9999999h", "1.5d", "2026-03-14", "yesterday"} {
		if got, err := parseTimestamp(value, testTime); err == nil {
			t.Errorf("%q: got %s, want an error", value, got)
		}
	}
}

func FuzzParseTimestamp(f *testing.F) {
	for _, seed := range []string{"24h", "7d", "2026-03-14T08:00:00Z", "9223372036854775807d", "1e9h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d, err := parseDuration(value); err == nil && (d <= 0 || d > maxDuration) {
			t.Errorf("%q is %s", value, d)
		}
		_, _ = parseTimestamp(value, testTime)
	})
}
