package config

import (
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0B": 0, "1000": 1000, "1B": 1, "16KB": 16e3, "500MB": 500e6, "4GB": 4e9, "1.5GB": 15e8, "2TB": 2e12,
		"64KiB": 64 << 10, "512MiB": 512 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "B", ".", "-1GB", "+1GB", "1e9", "4 GB", "4gb", "4G", "4PB", "1..5GB", "0x10", "inf", "99999999TB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1500: "1500B", 4e9: "4GB", 15e8: "1500MB", 2 << 30: "2GiB", 3 << 20: "3MiB"} {
		if got := FormatSize(n); got != want {
			t.Errorf("FormatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSizeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, 1<<53).Draw(t, "n")
		if got, err := ParseSize(FormatSize(want)); err != nil || got != want {
			t.Fatalf("got %d, %v, want %d", got, err, want)
		}
	})
}
