package importer

import (
	"fmt"
	"iter"
	"strconv"

	"stickwatch/probes"
)

// maxFileName bounds how much of a file's name is shown, in bytes.
const maxFileName = 300

// A position is a line of a file.
type position struct {
	file string
	line int // from 1; 0: the file as a whole
}

func (p position) String() string {
	file := probes.Clean(p.file, maxFileName) // a dump may call its files anything
	if file == standardInput {
		file = "standard input"
	}
	if p.line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(p.line)
}

// withPosition is text with the place before it, if there is one.
func (p position) withPosition(text string) string {
	if p.file == "" {
		return text
	}
	return p.String() + ": " + text
}

// errorf is an error that begins with the place, as compilers write theirs.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// A directive is a statement of a configuration, of whatever product: a name,
// arguments without their quotes, and in some a block of further ones.
type directive struct {
	position
	name  string
	args  []string
	block []directive
}

// arg is the argument of that index; "" when there is none.
func (d directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// among yields the directives of a block that have one of the names, in their
// order.
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

// last is the last directive of that name in a block: where a product lets one
// be repeated, that is the one which counts.
func last(block []directive, name string) (d directive, ok bool) {
	for found := range among(block, name) {
		d, ok = found, true
	}
	return d, ok
}
