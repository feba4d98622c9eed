package alerting

import (
	"slices"

	"stickwatch/checks"
)

// A causeGroup is findings with one cause: the root, which nothing explains, and all
// that it explains, over any number of steps. A root may be named by what it
// explains and not stand: it takes more rounds to be believed, or it is over.
type causeGroup struct {
	root    string                 // its key
	members []checks.ActiveFinding // the root first if it stands, then as they were given
}

// causeGroups sorts what stands by its causes, in the order in which the first of
// each family was given.
func causeGroups(standing []checks.ActiveFinding) []causeGroup {
	byKey := make(map[string]checks.ActiveFinding, len(standing))
	var keys []string
	for _, s := range standing {
		key := s.Key()
		if _, twice := byKey[key]; twice {
			continue
		}
		byKey[key] = s
		keys = append(keys, key)
	}
	var list []causeGroup
	index := make(map[string]int)
	for _, key := range keys {
		root := rootOf(key, byKey)
		at, known := index[root]
		if !known {
			at = len(list)
			index[root] = at
			list = append(list, causeGroup{root: root})
			if s, stands := byKey[root]; stands {
				list[at].members = append(list[at].members, s)
			}
		}
		if key != root {
			list[at].members = append(list[at].members, byKey[key])
		}
	}
	return list
}

// rootOf follows explanations to their end. Those that come from different rounds
// could form a circle: its root is the first key in it by the alphabet, so that
// all of the circle have the same.
func rootOf(key string, standing map[string]checks.ActiveFinding) string {
	for range len(standing) + 1 {
		cause := standing[key].ExplainedBy
		if cause == "" {
			return key
		}
		key = cause
	}
	first := key
	for next := standing[key].ExplainedBy; next != key; next = standing[next].ExplainedBy {
		first = min(first, next)
	}
	return first
}

// rooted reports whether the root itself stands.
func (f causeGroup) rooted() bool { return f.members[0].Key() == f.root }

// has reports whether the finding of a key is of the family.
func (f causeGroup) has(key string) bool {
	return slices.ContainsFunc(f.members, func(s checks.ActiveFinding) bool { return s.Key() == key })
}

// worst is the severity of its most severe finding.
func (f causeGroup) worst() checks.Severity {
	worst := checks.Info
	for _, s := range f.members {
		if s.Severity.AtLeast(worst) {
			worst = s.Severity
		}
	}
	return worst
}
