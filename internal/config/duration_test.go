package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"0":       0,
		"0s":      0,
		"10s":     10 * time.Second,
		"400d":    400 * day,
		"0d":      0,
		"1d12h":   36 * time.Hour,
		"1h30m":   90 * time.Minute,
		"1.5h":    90 * time.Minute,
		"250ms":   250 * time.Millisecond,
		"106751d": 106751 * day,
	}
	for text, want := range good {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "10", "s", "-1s", "+1s", "1d-1h", "1d+1h", "1h1d", "1.5d", "-1d", "1 d", "1w",
		"106752d", "106751d24h", "99999999999999999999d", "2562048h",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 90 * time.Minute: "1h30m", time.Hour: "1h", 10 * time.Minute: "10m",
		400 * day: "400d", 36 * time.Hour: "1d12h", 1500 * time.Millisecond: "1.5s", day + time.Second: "1d1s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Min(0).Draw(t, "d"))
		if got, err := ParseDuration(FormatDuration(want)); err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}
