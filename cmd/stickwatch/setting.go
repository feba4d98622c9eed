package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
	"stickwatch/internal/wire"
)

// A setting is the value of a flag that is validated later, so that all wrong values are
// reported at once. The flag package stops at the first one.
type setting[T any] struct {
	value T
	text  string // as given
	parse func(text string) (T, error)
	err   error
}

// newSetting returns a setting with a default; "" is the zero value.
func newSetting[T any](text string, parse func(string) (T, error)) setting[T] {
	s := setting[T]{parse: parse}
	if text != "" {
		s.set(text)
	}
	return s
}

// Set parses text and keeps the error for usageError. It never fails.
func (s *setting[T]) Set(text string) error {
	s.set(text)
	return nil
}

func (s *setting[T]) set(text string) {
	s.text = text
	s.value, s.err = s.parse(text)
}

func (s *setting[T]) String() string { return s.text }

// Type is the name of the value in help, if the flag has none.
func (s *setting[T]) Type() string { return "VALUE" }

// usageError returns the error in the value of the flag of that name.
func (s *setting[T]) usageError(name string) error {
	if s.err == nil {
		return nil
	}
	return fmt.Errorf("--%s: got %q, want %w", name, s.text, s.err)
}

// The errors of parsers state the wanted value.

// atLeast returns a parser of durations with a minimum.
func atLeast(least time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		switch d, err := time.ParseDuration(text); {
		case err != nil || d < 0:
			return 0, errors.New("a duration, such as 10s or 1m30s")
		case d < least:
			return 0, fmt.Errorf("at least %s", least)
		default:
			return d, nil
		}
	}
}

// oneOf returns a parser of enumerated words.
func oneOf[T ~string](words []T) func(string) (T, error) {
	return func(text string) (T, error) {
		if word := T(text); slices.Contains(words, word) {
			return word, nil
		}
		return "", fmt.Errorf("one of %s", joinWords(words))
	}
}

// confidence parses a level of confidence.
func confidence(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0.5 && n < 1) {
		return 0, errors.New("a number above 0.5 and below 1, such as 0.999")
	}
	return n, nil
}

// parseCount parses a positive number.
func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("a whole number of at least 1")
	}
	return n, nil
}

func joinWords[T ~string](words []T) string { return strings.Join(asTexts(words), ", ") }

func asTexts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// timeLayouts are the accepted formats of times. Times without a zone are local.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// parseTime parses a time in one of timeLayouts.
func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New(`a time, such as 2026-11-01, "2026-11-01 22:00" or 2026-11-01T22:00:00Z`)
}

// timeOrAge returns a parser of times and of ages, which are durations before now.
func timeOrAge(now time.Time) func(string) (time.Time, error) {
	return func(text string) (time.Time, error) {
		if d, err := wire.ParseDuration(text); err == nil {
			return now.Add(-d), nil
		}
		at, err := parseTime(text)
		if err != nil {
			err = fmt.Errorf("how long ago, such as 24h or 7d, or %w", err)
		}
		return at, err
	}
}

// days parses a positive duration that may have days: 7d.
func days(text string) (time.Duration, error) {
	d, err := wire.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("a duration, such as 20m, 2h or 7d")
	}
	return d, nil
}

// A languageFlag is the language of what a command prints for people. Errors, help and what
// programs read are in English.
type languageFlag struct{ setting[string] }

func newLanguageFlag() languageFlag {
	return languageFlag{newSetting("", oneOf([]string{string(alerting.English), string(alerting.Chinese)}))}
}

func (f *languageFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(f, "language", "`LANGUAGE` of texts: en or zh (default: alerting.language)")
	completeFlag(cmd, "language", string(alerting.English), string(alerting.Chinese))
}

// languageSection is for commands with nothing else about their output.
var languageSection = section{"Output", []string{"language"}}

// reader returns the reader of a command: the language of the flag, else that of the
// configuration, and the configuration's time zone. Without a configuration times are local.
func (f *languageFlag) reader(cfg *config.Config) phrase.Reader {
	reader := phrase.Reader{Language: checks.Language(f.value), Zone: time.Local}
	if cfg != nil {
		reader.Zone = cfg.Alerting.Location
		if f.value == "" {
			reader.Language = checks.Language(cfg.Alerting.Language)
		}
	}
	return reader
}
