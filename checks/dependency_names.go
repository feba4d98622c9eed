package checks

import (
	"regexp"
	"strings"
	"unicode"

	"stickwatch/probes"
)

// The name of a dependency that only a node's reason tells is part of a finding's
// key, and the reason may differ with every answer: "Redis Server (attempt 17)",
// "Redis Server: no answer for 5012 ms". What varies must not reach the key, or
// every answer would be a finding of its own.

// dependencyNames are the services that a node's reason names, without what
// nodes say of them besides. A configured dependency goes by its configured name.
func dependencyNames(v *nodeStates, o *probes.StatusReport) []string {
	var names []string
	for _, told := range o.Unavailable() {
		name := configuredName(v, told)
		if name == "" {
			name = stableName(told)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// configuredName is the dependency of the configuration with whose name a text
// begins, the longest such name; "": none.
func configuredName(v *nodeStates, told string) string {
	longest := ""
	for _, d := range v.Dependencies {
		if len(d.Name) > len(longest) && beginsWithName(told, d.Name) {
			longest = d.Name
		}
	}
	return longest
}

// beginsWithName reports whether a text begins with a name, in any case, and the
// name ends where a word does: "Redis2" does not begin with "Redis".
func beginsWithName(text, name string) bool {
	if len(text) < len(name) || !strings.EqualFold(text[:len(name)], name) {
		return false
	}
	for _, next := range text[len(name):] {
		return !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '-' && next != '_' && next != '.'
	}
	return true
}

// stableName is a service's name without details that may vary: what is in
// brackets or after a colon and a space, and measures with the words that lead to
// them. "": nothing else is left. A number that may belong to the name stays.
func stableName(told string) string {
	name := told
	if at := strings.IndexAny(name, "([{<"); at >= 0 {
		name = name[:at]
	}
	for _, mark := range []string{": ", " - ", " – ", " — ", "; "} {
		name, _, _ = strings.Cut(name, mark)
	}
	if at := varying.FindStringIndex(name); at != nil {
		name = name[:at[0]]
	}
	return strings.Trim(name, " \t.;:-–—=")
}

// varying is the beginning of what varies: a measure, a time of day, a date, or a
// number beside a word or sign that counts.
var varying = regexp.MustCompile(`(?i)(^|\s)(` +
	`((after|for|since|in|at|last|within|every)\s+)*(` +
	`\d+([.,]\d+)*\s*(ns|[uµ]s|ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?|%|[kmg]?i?b)($|[^\pL\d])` +
	`|\d+\s*(times?|x|errors?|failures?|retries|tries|attempts?|requests?)($|[^\pL\d])` +
	`|\d+(:\d\d)+` +
	`|\d{4}-\d\d-\d\d)` +
	`|(attempts?|retry|retries|try|tries|failures?|errors?|count|counter|latency|elapsed|waited|seen|after|for|since|request|no\.|nr\.?)[\s:=#]*\d` +
	`|[#*+~]\s*\d)`)
