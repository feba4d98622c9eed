package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"stickwatch/probes"
)

// A loader loads a configuration with its includes as one tree.
type loader struct {
	source source
	parse  func(file, text string) ([]directive, error)

	// included returns the file patterns that d includes, the most likely location
	// first; nil if d is no include.
	included func(d directive) []string

	noteList
	open  []string // files being loaded, the main one first
	files int
}

// load returns the directives of a file. It returns an error for invalid syntax. A
// missing file is only noted, because people often copy only the main file.
func (l *loader) load(name string) ([]directive, error) {
	if l.files++; l.files > maxFiles {
		return nil, fmt.Errorf("reading %q: more than %d files are included", name, maxFiles)
	}
	text, err := l.source.read(name)
	if err != nil {
		return nil, err
	}
	tree, err := l.parse(name, text)
	if err != nil {
		return nil, err
	}
	l.open = append(l.open, name)
	defer func() { l.open = l.open[:len(l.open)-1] }()
	return l.expand(tree)
}

// expand replaces includes by the included directives.
func (l *loader) expand(tree []directive) ([]directive, error) {
	if tree == nil {
		return nil, nil // a nil block differs from an empty one
	}
	out := make([]directive, 0, len(tree))
	for _, d := range tree {
		patterns := l.included(d)
		if patterns == nil {
			block, err := l.expand(d.block)
			if err != nil {
				return nil, err
			}
			d.block = block
			out = append(out, d)
			continue
		}
		more, err := l.include(d, patterns)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (l *loader) include(d directive, patterns []string) ([]directive, error) {
	var names []string
	for _, pattern := range patterns {
		if names = l.source.match(pattern); len(names) > 0 {
			break
		}
	}
	if len(names) == 0 {
		l.missing(d)
		return nil, nil
	}
	var out []directive
	for _, name := range names {
		if slices.Contains(l.open, name) {
			return nil, d.errorf("%s includes itself, by way of %s", position{file: name}, probes.Clean(strings.Join(l.open, ", "), maxNote))
		}
		if len(l.open) >= maxDepth {
			return nil, d.errorf("more than %d files include each other", maxDepth)
		}
		more, err := l.load(name)
		if errors.Is(err, fs.ErrPermission) {
			l.note("%s: %s may not be read: what it says is missing here", d.position, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// missing notes an include without files; a pattern may match none.
func (l *loader) missing(d directive) {
	if !strings.ContainsAny(d.arg(0), "*?[") {
		l.note("%s: there is no %s: what it says is missing here", d.position, d.arg(0))
	}
}
