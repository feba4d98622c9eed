package metrics

import (
	"maps"
	"strings"
	"sync"
	"unicode"
)

const (
	// maxLabel bounds the value of a label, in characters: some are what a target
	// says of itself.
	maxLabel = 128

	// maxLabelValues bounds the values of one label in one cluster. A configuration has
	// fewer; a target that makes up a version for each answer has more.
	maxLabelValues = 500

	// other stands for all the values beyond, and for strangers.
	other = "other"
)

// A labelLimiter bounds what a process that lives for months may put in the
// labels of its metrics: the first maxLabelValues values are kept, and the rest is
// "other". One that is nil bounds nothing, which is right for a single round.
type labelLimiter struct {
	mu     sync.Mutex
	values map[labelKey]map[string]bool
}

// A labelKey is a label of a cluster; "" is the cluster of what belongs to none.
type labelKey struct{ cluster, name string }

func newLabelLimiter() *labelLimiter {
	return &labelLimiter{values: make(map[labelKey]map[string]bool)}
}

// limit is the value fit for a label of a cluster, or "other".
func (v *labelLimiter) limit(cluster, name, value string) string {
	value = cleanLabel(value)
	if v == nil || value == "" {
		return value
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := labelKey{cleanLabel(cluster), name}
	switch {
	case v.values[s][value]:
		return value
	case len(v.values[s]) >= maxLabelValues:
		return other
	case v.values[s] == nil:
		v.values[s] = make(map[string]bool)
	}
	v.values[s][value] = true
	return value
}

// node is the id of a node fit for a label. A stranger, whose label stands in
// quotes, is "other": what it calls itself is in the finding.
func (v *labelLimiter) node(cluster, id string) string {
	if strings.HasPrefix(id, `"`) {
		return other
	}
	return v.limit(cluster, "node", id)
}

func (v *labelLimiter) forget(cluster string) {
	cluster = cleanLabel(cluster)
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.values, func(s labelKey, _ map[string]bool) bool { return s.cluster == cluster })
}

// cleanLabel is s fit for the value of a label: valid UTF-8, else the client
// panics; without control characters, which the text format passes on to
// whatever terminal shows it.
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

// validLabel reports whether s is fit as it is, as nearly all are.
func validLabel(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxLabel
}
