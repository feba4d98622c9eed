package checks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// describe says what an exchange came to, in a few words.
func describe(ex probes.Exchange) string {
	came := "no answer"
	switch {
	case ex.Failure != "":
		came = orElse(ex.Error, string(ex.Failure))
	case ex.Answered():
		came = fmt.Sprintf("HTTP %d", ex.Status)
	}
	if ex.Path != "" {
		came = ex.Path + ": " + came
	}
	return came + " at " + clock(ex.At)
}

// clock is a time of day as evidence gives it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// clientOf names a client by what it presented.
func clientOf(key string) string {
	if key == "" {
		return "our own address"
	}
	return "client " + key
}

// firstFew keeps evidence readable: the first three, and how many more.
func firstFew(evidence []string) []string {
	const few = 3
	if len(evidence) <= few {
		return evidence
	}
	return append(slices.Clone(evidence[:few]), fmt.Sprintf("and %d more like it", len(evidence)-few))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// say puts nodes before what they do: "node1 says", "node1, node2 say".
func say(nodes []string, one, many string) string {
	if len(nodes) == 1 {
		return nodes[0] + " " + one
	}
	return join(nodes) + " " + many
}

func join(items []string) string { return strings.Join(items, ", ") }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
