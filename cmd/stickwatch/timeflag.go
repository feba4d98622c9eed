package main

import (
	"errors"
	"fmt"
	"time"

	"stickwatch/internal/config"
)

// timeLayouts are how people write a time; those without a zone are of this machine's.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// parseTime parses a time, as in moments.
func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New(`a time, such as 2026-11-01, "2026-11-01 22:00" or 2026-11-01T22:00:00Z`)
}

// timeOrAge parses a time, or how long before now it was.
func timeOrAge(now time.Time) func(string) (time.Time, error) {
	return func(text string) (time.Time, error) {
		if d, err := config.ParseDuration(text); err == nil {
			return now.Add(-d), nil
		}
		at, err := parseTime(text)
		if err != nil {
			err = fmt.Errorf("how long ago, such as 24h or 7d, or %w", err)
		}
		return at, err
	}
}

// days parses a duration of more than nothing that may have days in front.
func days(text string) (time.Duration, error) {
	d, err := config.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("a duration, such as 20m, 2h or 7d")
	}
	return d, nil
}
