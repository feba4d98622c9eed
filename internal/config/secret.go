package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	if s.text == "" {
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
