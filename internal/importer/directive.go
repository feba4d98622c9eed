package importer

import (
	"fmt"
	"iter"
	"strconv"

	"stickwatch/probes"
)

// maxFileName limits the length of a displayed file name, in bytes.
const maxFileName = 300

// A position is a line of a file.
type position struct {
	file string
	line int // from 1; 0: the whole file
}

func (p position) String() string {
	file := probes.Clean(p.file, maxFileName) // file names in a dump are untrusted
	if file == standardInput {
		file = "standard input"
	}
	if p.line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(p.line)
}

// withPosition prefixes text with the position, if there is one.
func (p position) withPosition(text string) string {
	if p.file == "" {
		return text
	}
	return p.String() + ": " + text
}

// errorf returns an error that begins with the position, in the format of compilers.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// A directive is a statement of a configuration of any product: a name, unquoted
// arguments, and optionally a block of directives.
type directive struct {
	position
	name  string
	args  []string
	block []directive
}

// arg returns the argument of that index; "" if there is none.
func (d directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// among iterates over the directives of a block with one of the names.
func among(block []directive, names ...string) iter.Seq[directive] {
	return func(yield func(directive) bool) {
		for _, d := range block {
			for _, name := range names {
				if d.name == name && !yield(d) {
					return
				}
			}
		}
	}
}

// last returns the last directive of that name in a block, which is the effective one
// where a product allows repetition.
func last(block []directive, name string) (d directive, ok bool) {
	for found := range among(block, name) {
		d, ok = found, true
	}
	return d, ok
}
