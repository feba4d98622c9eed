package config

import (
	"strconv"
	"strings"
)

// A place is the path of a key: clusters[0].nodes[1].url; "" is the file.
type place string

func (p place) key(name string) place {
	if p == "" {
		return place(name)
	}
	return p + "." + place(name)
}

func (p place) item(i int) place { return p + place("["+strconv.Itoa(i)+"]") }

// parent is the place that holds p; "" holds itself.
func (p place) parent() place {
	return p[:max(0, strings.LastIndexAny(string(p), ".["))]
}

// last is the name of the key, without the places that hold it and without an
// index.
func (p place) last() string {
	name := string(p[strings.LastIndex(string(p), ".")+1:])
	name, _, _ = strings.Cut(name, "[")
	return name
}
