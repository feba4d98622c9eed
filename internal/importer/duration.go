package importer

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

var errNoDuration = errors.New("expected a time, such as 20s")

var durationPart = regexp.MustCompile(`^(\d{1,9})(us|ms|s|m|h|d|w|M|y|)`)

var durationUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// parseDuration parses a duration of a balancer's configuration, such as 20s, 1m30s or 500ms.
// A number without a unit counts the given unit.
func parseDuration(text string, unit time.Duration) (time.Duration, error) {
	var sum time.Duration
	for rest := text; ; {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, errNoDuration
		}
		n, _ := strconv.Atoi(part[1]) // cannot fail: few digits
		scale, ok := durationUnits[part[2]]
		if !ok {
			scale = unit
		}
		sum += min(time.Duration(n), 10*365*24*time.Hour/scale) * scale
		if rest = rest[len(part[0]):]; rest == "" {
			return sum, nil
		}
	}
}
