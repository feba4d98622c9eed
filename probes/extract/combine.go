package extract

import (
	"strings"

	"stickwatch/probes"
)

type first []probes.Extractor

// First returns an extractor of the first value that any of es finds.
func First(es ...probes.Extractor) probes.Extractor { return first(es) }

func (f first) Extract(doc probes.Document) (string, bool) {
	for _, e := range f {
		if v, ok := e.Extract(doc); ok {
			return v, true
		}
	}
	return "", false
}

type join struct {
	sep string
	es  []probes.Extractor
}

// Join returns an extractor of what all of es find, with sep in between; where
// one finds nothing there is no value. Two facts that change together, such as
// pid and start of a process, make a name where neither is unique.
func Join(sep string, es ...probes.Extractor) probes.Extractor { return join{sep, es} }

func (j join) Extract(doc probes.Document) (string, bool) {
	parts := make([]string, 0, len(j.es))
	for _, e := range j.es {
		v, ok := e.Extract(doc)
		if !ok {
			return "", false
		}
		parts = append(parts, v)
	}
	return clean(strings.Join(parts, j.sep))
}
