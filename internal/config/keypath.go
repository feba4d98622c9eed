package config

import (
	"strconv"
	"strings"
)

// A keyPath is the path of a key: clusters[0].nodes[1].url; "" is the file.
type keyPath string

func (p keyPath) key(name string) keyPath {
	if p == "" {
		return keyPath(name)
	}
	return p + "." + keyPath(name)
}

func (p keyPath) item(i int) keyPath { return p + keyPath("["+strconv.Itoa(i)+"]") }

// parent returns the path of the value that contains p; "" for "".
func (p keyPath) parent() keyPath {
	return p[:max(0, strings.LastIndexAny(string(p), ".["))]
}

// last returns the name of the key, without its parents and without an index.
func (p keyPath) last() string {
	name := string(p[strings.LastIndex(string(p), ".")+1:])
	name, _, _ = strings.Cut(name, "[")
	return name
}
