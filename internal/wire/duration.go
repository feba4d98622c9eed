package wire

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("expected a duration such as 10s, 1h30m or 400d")

// ParseDuration parses a duration as in configurations, flags and requests: the format of
// time.ParseDuration, not negative, with optional leading weeks and days of 24 hours: "2w",
// "400d", "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	var whole time.Duration
	rest := text
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, after, ok := strings.Cut(rest, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || time.Duration(n) > (math.MaxInt64-whole)/unit.length {
			return 0, errDuration
		}
		if whole, rest = whole+time.Duration(n)*unit.length, after; rest == "" {
			return whole, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") || part > math.MaxInt64-whole {
		return 0, errDuration
	}
	return whole + part, nil
}
