package checks

import (
	"fmt"
	"slices"
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
	return orElse(ex.Error, string(ex.Failure))
}

// askedDirectly is what came of asking a node directly.
func askedDirectly(ex probes.Exchange) Message {
	return msg(MsgAskedDirectly, Args{Why: new(describe(ex))})
}

// clock is a time of day as evidence gives it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// second is a time of day to the second, which is all that logs tell.
func second(t time.Time) string { return t.UTC().Format(time.TimeOnly) }

// days is a duration in days.
func days(d time.Duration) string { return fmt.Sprintf("%.1f", d.Hours()/24) }

// quote puts a text between quotes, with what cannot be seen escaped.
func quote(text string) string { return strconv.Quote(text) }

// firstFew keeps evidence readable: the first three, and how many more.
func firstFew(evidence []Message) []Message {
	const few = 3
	if len(evidence) <= few {
		return evidence
	}
	return append(slices.Clone(evidence[:few]), msg(MsgMoreLikeIt, Args{Count: len(evidence) - few}))
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
