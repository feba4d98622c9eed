package checks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// describe says what an exchange came to, in a few words.
func describe(ex probes.Exchange) Message {
	return msg(MsgExchange, Args{Path: ex.Path, Status: ex.Status, Reason: why(ex), At: ex.At})
}

// why is why an exchange failed, in the words of whoever says so; "": it did not.
func why(ex probes.Exchange) string {
	if ex.Failure == "" {
		return ""
	}
	return orDefault(ex.Error, string(ex.Failure))
}

// askedDirectly is what came of asking a node directly.
func askedDirectly(ex probes.Exchange) Message {
	return msg(MsgAskedDirectly, Args{Why: new(describe(ex))})
}

// clock is a time of day as evidence gives it.
func clock(t time.Time) string { return t.Format("15:04:05.000") }

// second is a time of day to the second, which is all that logs tell.
func second(t time.Time) string { return t.Format(time.TimeOnly) }

// days is a duration in days.
func days(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()/24) }

// quote puts a text between quotes, with what cannot be seen escaped.
func quote(text string) string { return strconv.Quote(text) }

// minimumSample is how many lines of one kind are read.
const minimumSample = 3

// limited keeps evidence readable: the first lines, and how many more there are.
func limited(evidence []Message) []Message {
	return fewOf(evidence, func(m Message) Message { return m })
}

// fewOf is limited for what is put into words only if it is among the first.
func fewOf[T any](items []T, word func(T) Message) []Message {
	var lines []Message
	for _, item := range items[:min(minimumSample, len(items))] {
		lines = append(lines, word(item))
	}
	if len(items) > minimumSample {
		lines = append(lines, msg(MsgMoreLikeIt, Args{Count: len(items) - minimumSample}))
	}
	return lines
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// phrase puts nodes before what they do: "node1 says", "node1, node2 say".
func phrase(nodes []string, one, many string) string {
	if len(nodes) == 1 {
		return nodes[0] + " " + one
	}
	return join(nodes) + " " + many
}

func join(items []string) string { return strings.Join(items, ", ") }

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
