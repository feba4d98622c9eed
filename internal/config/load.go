package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Load reads the configuration at path. Its error is Problems, unless the file
// cannot be read at all.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil && !errors.Is(err, errTooLarge) { // Parse tells that it is too large
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse makes a Config of data. The name is that of its file, for problems and
// for relative paths in it; getenv looks up ${VAR}, as os.LookupEnv does. The
// error is Problems.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return parse(name, data, getenv).config(filepath.Dir(name))
}

// config builds what a document says. Relative paths in it start at dir.
func (doc *document) config(dir string) (*Config, error) {
	var c *Config
	if doc.root != nil {
		var wire wireFile
		if doc.decode(&wire) {
			c = (&builder{document: doc, dir: dir}).config(wire)
		}
	}
	if len(doc.problems) > 0 {
		return nil, doc.reported()
	}
	return c, nil
}
