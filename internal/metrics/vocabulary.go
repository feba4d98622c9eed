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

	// maxWords bounds the values of one label in one cluster. A configuration has
	// fewer; a target that makes up a version for each answer has more.
	maxWords = 500

	// other stands for all the values beyond, and for strangers.
	other = "other"
)

// A vocabulary bounds what a process that lives for months may put in the
// labels of its metrics: the first maxWords values are kept, and the rest is
// "other". One that is nil bounds nothing, which is right for a single round.
type vocabulary struct {
	mu    sync.Mutex
	words map[subject]map[string]bool
}

// A subject is a label of a cluster; "" is the cluster of what belongs to none.
type subject struct{ cluster, label string }

func newVocabulary() *vocabulary {
	return &vocabulary{words: make(map[subject]map[string]bool)}
}

// fold is the value fit for a label of a cluster, or "other".
func (v *vocabulary) fold(cluster, name, value string) string {
	value = label(value)
	if v == nil || value == "" {
		return value
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := subject{label(cluster), name}
	switch {
	case v.words[s][value]:
		return value
	case len(v.words[s]) >= maxWords:
		return other
	case v.words[s] == nil:
		v.words[s] = make(map[string]bool)
	}
	v.words[s][value] = true
	return value
}

// node is the id of a node fit for a label. A stranger, whose label stands in
// quotes, is "other": what it calls itself is in the finding.
func (v *vocabulary) node(cluster, id string) string {
	if strings.HasPrefix(id, `"`) {
		return other
	}
	return v.fold(cluster, "node", id)
}

func (v *vocabulary) forget(cluster string) {
	cluster = label(cluster)
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.words, func(s subject, _ map[string]bool) bool { return s.cluster == cluster })
}

// label is s fit for the value of a label: valid UTF-8, else the client
// panics; without control characters, which the text format passes on to
// whatever terminal shows it.
func label(s string) string {
	if plain(s) {
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

// plain reports whether s is fit as it is, as nearly all are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxLabel
}
