package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

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

func (l *loader) include(line directive, patterns []string) ([]directive, error) {
	var names []string
	for _, pattern := range patterns {
		if names = l.source.match(pattern); len(names) > 0 {
			break
		}
	}
	if len(names) == 0 {
		l.missing(line)
		return nil, nil
	}
	var out []directive
	for _, name := range names {
		if slices.Contains(l.open, name) {
			return nil, line.errorf("%s includes itself, by way of %s", position{file: name}, probes.Clean(strings.Join(l.open, ", "), maxNote))
		}
		if len(l.open) >= maxDepth {
			return nil, line.errorf("more than %d files include each other", maxDepth)
		}
		more, err := l.load(name)
		if errors.Is(err, fs.ErrPermission) {
			l.note("%s: %s cannot be read: its contents are missing here", line.position, name)
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
		l.note("%s: there is no %s: its contents are missing here", d.position, d.arg(0))
	}
}

// Limits of input. Configurations are written by people; a larger file was named by
// mistake.
const (
	maxFile  = 8 << 20 // bytes of one file
	maxFiles = 2000    // files of one configuration, counting repeated includes
	maxDepth = 20      // nesting of includes, and of blocks
)

// A source provides the files of a configuration.
type source interface {
	// read returns the text of a file.
	read(name string) (string, error)
	// match returns the files that match a shell pattern, sorted.
	match(pattern string) []string
}

// diskFiles are files of this machine.
type diskFiles struct {
	stdin io.Reader // contents of "-"
}

// standardInput is the conventional file name of standard input.
const standardInput = "-"

func (d diskFiles) read(name string) (string, error) {
	in := d.stdin
	if name != standardInput {
		info, err := os.Stat(name)
		if err != nil {
			return "", unread(name, err)
		}
		if info.IsDir() {
			return "", fmt.Errorf("reading %q: it is a directory: name the file in it", name)
		}
		if !info.Mode().IsRegular() { // a device may be endless, and a pipe may block
			return "", fmt.Errorf("reading %q: it is no regular file", name)
		}
		file, err := os.Open(name)
		if err != nil {
			return "", unread(name, err)
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return "", unread(name, err)
	}
	return plainText(name, data)
}

// unread returns err without the path that it repeats.
func unread(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("reading %q: %w", name, err)
}

// plainText returns data as text, or an error if it cannot be a configuration.
func plainText(name string, data []byte) (string, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch nul := strings.IndexByte(text, 0); {
	case len(data) > maxFile:
		return "", fmt.Errorf("reading %q: it is larger than %d MiB, which no configuration is", name, maxFile>>20)
	case nul >= 0:
		return "", position{name, 1 + strings.Count(text[:nul], "\n")}.errorf("a NUL byte: expected a text in UTF-8")
	case !utf8.ValidString(text):
		text = strings.ToValidUTF8(text, "\uFFFD") // comments in GBK are not needed
	}
	return text, nil
}

func (diskFiles) match(pattern string) []string {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	if strings.ContainsAny(filepath.Base(pattern), "*?[") && !strings.HasPrefix(filepath.Base(pattern), ".") {
		names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") })
	}
	return names // sorted by Glob
}

// memoryFiles are files by name, as in the output of `nginx -T`.
type memoryFiles map[string]string

func (m memoryFiles) read(name string) (string, error) {
	text, ok := m[name]
	if !ok {
		return "", unread(name, fs.ErrNotExist)
	}
	return text, nil
}

func (m memoryFiles) match(pattern string) []string {
	var names []string
	for name := range m {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// dumpHeader is the header of each file in the output of `nginx -T`.
const dumpHeader = "# configuration file "

// dump splits the output of `nginx -T`. main is the main file's name; "" when text is
// no such output.
func dump(text string) (main string, files memoryFiles) {
	files = memoryFiles{}
	name := ""
	var body strings.Builder
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimRight(line, " \t\r\n"), dumpHeader); ok && strings.HasSuffix(heading, ":") {
			files.keep(name, body.String())
			name = strings.TrimSuffix(heading, ":")
			main = cmp.Or(main, name)
			body.Reset()
			continue
		}
		body.WriteString(line) // the result of nginx -t before the first header, which is dropped
	}
	files.keep(name, body.String())
	return main, files
}

func (m memoryFiles) keep(name, text string) {
	if name != "" {
		m[name] = text
	}
}
