package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// redacted is displayed instead of a secret.
const redacted = "***"

// A Secret is text that only Reveal returns. fmt with any verb, encoding/json, YAML and
// log/slog display it redacted. The zero Secret means that no secret is set.
type Secret struct{ text string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the secret text.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether no secret is set.
func (s Secret) IsZero() bool { return s.text == "" }

// String returns "***", or "" for the zero Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString returns the redacted form, too.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format prevents verbs that do not use String, such as %d, from printing the struct.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// MarshalText returns String, for encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue returns String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText sets the secret to text.
func (s *Secret) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty")
	}
	s.text = string(text)
	return nil
}

// headers are the values of HTTP headers by name. Any may be a credential.
type headers map[string]Secret

const day = 24 * time.Hour

// FormatDuration formats d for wire.ParseDuration in its shortest form: "14d", "1h30m",
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

// A duration is a time.Duration in the format of wire.ParseDuration.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := wire.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

var errSize = errors.New("expected a size such as 500MB, 4GB or 2GiB")

// A unit is a named number of bytes.
type unit struct {
	name  string
	bytes int64
}

// units are the units of sizes. formatSize takes the first that fits, so that it prefers
// decimal ones; parseSize needs B last, because all end with it.
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

// parseSize parses a number of bytes: "500MB", "1.5GB", "2GiB", "1000". KB is 1000
// bytes, KiB 1024.
func parseSize(text string) (int64, error) {
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

// formatSize formats n for parseSize in the first of units of which it is a whole number:
// "4GB", "2GiB", "0B".
func formatSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// A size is a number of bytes in the format of parseSize.
type size int64

func (s *size) UnmarshalText(text []byte) error {
	parsed, err := parseSize(string(text))
	*s = size(parsed)
	return err
}

var errStatus = errors.New("expected an HTTP status such as 200, or a range such as 200-399")

// A statusRange is a probes.StatusRange in the format of the file.
type statusRange probes.StatusRange

func (r *statusRange) UnmarshalText(text []byte) error {
	first, last, ok := strings.Cut(string(text), "-")
	if !ok {
		last = first
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(first))
	to, err2 := strconv.Atoi(strings.TrimSpace(last))
	if err := errors.Join(err1, err2); err != nil || from < 100 || to > 599 || from > to {
		return errStatus
	}
	*r = statusRange{From: from, To: to}
	return nil
}
