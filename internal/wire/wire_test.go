package wire

import (
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 0.29: "29 %", 0.57: "57 %", 0.99999: "99.999 %", 0.999999: "99.999 %", 1: "100 %"} {
		if got := Percent(share); got != want {
			t.Errorf("Percent(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	good := map[string]time.Duration{
		"0":       0,
		"0s":      0,
		"10s":     10 * time.Second,
		"400d":    400 * day,
		"0d":      0,
		"1d12h":   36 * time.Hour,
		"2w":      14 * day,
		"1w1d12h": 8*day + 12*time.Hour,
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
		"", "d", "10", "s", "-1s", "+1s", "1d-1h", "1d+1h", "1h1d", "1.5d", "-1d", "1 d", "w", "1d1w", "1w1w", "15251w",
		"106752d", "106751d24h", "99999999999999999999d", "2562048h",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}
