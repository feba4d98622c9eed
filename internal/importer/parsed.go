package importer

import (
	"fmt"

	"stickwatch/probes"
)

// A parsedConfig is the content of a balancer's configuration.
type parsedConfig struct {
	noteList
	upstreams []*upstream
}

func (r *parsedConfig) named(name string) *upstream {
	for _, u := range r.upstreams {
		if u.name == name {
			return u
		}
	}
	return nil
}

// distinct reports two upstreams of the same name, which no product accepts.
func (r *parsedConfig) distinct() error {
	seen := map[string]position{}
	for _, u := range r.upstreams {
		if first, ok := seen[u.name]; ok {
			return u.errorf("the %s %s is at %s already", u.kind, quoted(u.name), first)
		}
		seen[u.name] = u.position
	}
	return nil
}

// A noteList contains notes for the user about what was not read or understood.
type noteList []string

// maxNote limits the length of a note, in bytes.
const maxNote = 400

func (n *noteList) note(format string, args ...any) {
	*n = append(*n, probes.Clean(fmt.Sprintf(format, args...), maxNote))
}
