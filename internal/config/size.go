package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errSize = errors.New("expected a size such as 500MB, 4GB or 2GiB")

// A unit is a named number of bytes.
type unit struct {
	name  string
	bytes int64
}

// units are the units of sizes, the largest first; of equal ones, the decimal unit
// first.
var units = []unit{
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"B", 1},
}

// ParseSize parses a number of bytes: "500MB", "1.5GB", "2GiB", "1000". KB is 1000
// bytes, KiB 1024.
func ParseSize(text string) (int64, error) {
	number, factor := text, int64(1)
	for _, u := range units {
		if before, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = before, u.bytes
			break
		}
	}
	if number == "" || strings.Trim(number, "0123456789.") != "" {
		return 0, errSize
	}
	n, err := strconv.ParseFloat(number, 64)
	// A float represents whole numbers of bytes exactly up to 9 PB.
	if err != nil || n*float64(factor) > 1<<53 {
		return 0, errSize
	}
	return int64(math.Round(n * float64(factor))), nil
}

// FormatSize formats n for ParseSize in the largest unit of which it is a whole number:
// "4GB", "2GiB", "0B".
func FormatSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// A size is a number of bytes in the format of ParseSize.
type size int64

func (s *size) UnmarshalText(text []byte) error {
	parsed, err := ParseSize(string(text))
	*s = size(parsed)
	return err
}
