package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var errDuration = errors.New("expected a duration such as 10s, 1h30m or 400d")

// ParseDuration parses a duration as in configurations and flags: the format of
// time.ParseDuration, not negative, with optional leading days of 24 hours: "400d",
// "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	var whole time.Duration
	rest := text
	if days, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || time.Duration(n) > math.MaxInt64/day {
			return 0, errDuration
		}
		whole, rest = time.Duration(n)*day, after
		if rest == "" {
			return whole, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") || part > math.MaxInt64-whole {
		return 0, errDuration
	}
	return whole + part, nil
}

// FormatDuration formats d for ParseDuration in its shortest form: "14d", "1h30m",
// "0s".
func FormatDuration(d time.Duration) string {
	var out string
	if days := d / day; days > 0 {
		out, d = strconv.FormatInt(int64(days), 10)+"d", d%day
	}
	if d == 0 && out != "" {
		return out
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return out + text
}

// A duration is a time.Duration in the format of ParseDuration.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	*d = duration(parsed)
	return err
}
