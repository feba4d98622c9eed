package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Load reads the configuration at path. The error is Problems, unless the file cannot
// be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil && !errors.Is(err, errTooLarge) { // Parse reports that it is too large
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse returns the Config in data. name is the name of its file, for problems and for
// relative paths; getenv looks up ${VAR}, like os.LookupEnv. The error is Problems.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return parse(name, data, getenv).config(filepath.Dir(name))
}

// config builds a document. Relative paths start at dir.
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
