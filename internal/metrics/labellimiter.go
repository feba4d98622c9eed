package metrics

import (
	"maps"
	"strings"
	"sync"
	"unicode"

	"stickwatch/checks"
)

const (
	// maxLabel bounds a label value, in characters. Targets control some values.
	maxLabel = 128

	// maxLabelValues bounds the values of one label in one cluster. A configuration has fewer;
	// a target that invents a version for each response has more.
	maxLabelValues = 500

	// other replaces excess values and unknown nodes.
	other = "other"
)

// A labelLimiter bounds the label values of a long-lived process: it keeps the first
// maxLabelValues values and replaces the rest with "other". A nil limiter has no bound, for
// the metrics of a single round.
type labelLimiter struct {
	mu     sync.Mutex
	values map[labelKey]map[string]bool
}

// A labelKey identifies a label of a cluster; "" is the cluster of global labels.
type labelKey struct{ cluster, name string }

func newLabelLimiter() *labelLimiter {
	return &labelLimiter{values: make(map[labelKey]map[string]bool)}
}

// limit returns the sanitized value, or "other".
func (l *labelLimiter) limit(cluster, name, value string) string {
	value = cleanLabel(value)
	if l == nil || value == "" {
		return value
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := labelKey{cleanLabel(cluster), name}
	switch {
	case l.values[s][value]:
		return value
	case len(l.values[s]) >= maxLabelValues:
		return other
	case l.values[s] == nil:
		l.values[s] = make(map[string]bool)
	}
	l.values[s][value] = true
	return value
}

// node returns the label of a node id. The label of an unknown node, which is quoted, becomes
// "other"; the finding contains its name.
func (l *labelLimiter) node(cluster, id string) string {
	if checks.IsUnlisted(id) {
		return other
	}
	return l.limit(cluster, "node", id)
}

func (l *labelLimiter) forget(cluster string) {
	cluster = cleanLabel(cluster)
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.values, func(s labelKey, _ map[string]bool) bool { return s.cluster == cluster })
}

// cleanLabel makes s a valid label value. Invalid UTF-8 would make the client panic, and the
// text format would pass control characters to a terminal.
func cleanLabel(s string) string {
	if validLabel(s) {
		return s
	}
	var b strings.Builder
	left := maxLabel
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if !unicode.IsPrint(r) {
			continue
		}
		if left--; left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// validLabel reports whether s needs no change, which is the common case.
func validLabel(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxLabel
}
