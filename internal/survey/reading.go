package survey

import (
	"fmt"

	"stickwatch/probes"
)

// A reading is what a configuration says.
type reading struct {
	notebook
	upstreams []*upstream
}

func (r *reading) named(name string) *upstream {
	for _, u := range r.upstreams {
		if u.name == name {
			return u
		}
	}
	return nil
}

// distinct reports two upstreams of one name, which no product takes.
func (r *reading) distinct() error {
	seen := map[string]place{}
	for _, u := range r.upstreams {
		if first, ok := seen[u.name]; ok {
			return u.errorf("the %s %s is at %s already", u.kind, quoted(u.name), first)
		}
		seen[u.name] = u.place
	}
	return nil
}

// A notebook is what could not be read or understood, for people.
type notebook []string

// maxNote bounds what is told in one note, in bytes.
const maxNote = 400

func (n *notebook) note(format string, args ...any) {
	*n = append(*n, probes.Clean(fmt.Sprintf(format, args...), maxNote))
}
