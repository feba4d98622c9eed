package importer

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// loadHTTPD loads httpd.conf with its includes.
func loadHTTPD(src source, file string) ([]directive, noteList, error) {
	l := &loader{source: src, parse: parseHTTPD}
	root := ""
	l.parse = func(file, text string) ([]directive, error) {
		tree, err := parseHTTPD(file, text)
		if d, ok := last(tree, "serverroot"); ok {
			root = d.arg(0)
		}
		return slices.DeleteFunc(tree, switchedOff), err // its includes would be missed
	}
	l.included = func(d directive) []string {
		if d.name != "include" && d.name != "includeoptional" || len(d.args) == 0 {
			return nil
		}
		return httpdPatterns(d.args[0], root, filepath.Dir(file))
	}
	tree, err := l.load(file)
	return tree, l.noteList, err
}

// httpdPatterns returns the possible paths of an Include: below ServerRoot, or, for a
// copy from another machine, below the main file's folder or its parent, because the
// main file is usually conf/httpd.conf. A folder stands for all files in it.
func httpdPatterns(name, root, dir string) []string {
	var out []string
	for _, base := range []string{cmp.Or(root, dir), dir, filepath.Join(dir, "..")} {
		pattern := filepath.Join(base, name)
		if filepath.IsAbs(name) {
			pattern = name
		}
		out = append(out, filepath.Join(pattern, "*"), pattern)
	}
	return out
}

// parseHTTPD parses one file. Names are in lower case, sections are directives with
// blocks.
func parseHTTPD(file, text string) ([]directive, error) {
	open := []directive{{position: position{file: file}}}
	lines := logicalLines(text)
	for i := range lines {
		at, line := position{file, lines[i].number}, strings.TrimSpace(lines[i].text)
		top := &open[len(open)-1]
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "</"):
			name := strings.ToLower(strings.TrimSpace(strings.TrimSuffix(line[2:], ">")))
			if len(open) == 1 {
				return nil, at.errorf("</%s> closes nothing", quotedBare(name))
			}
			if name != top.name {
				return nil, at.errorf("</%s> where </%s> should close the section of line %d", quotedBare(name), quotedBare(top.name), top.line)
			}
			open = open[:len(open)-1]
			parent := &open[len(open)-1]
			parent.block = append(parent.block, *top)
		case line[0] == '<':
			d, err := httpdSection(at, line)
			if err != nil {
				return nil, err
			}
			if len(open) > maxDepth {
				return nil, at.errorf("more than %d sections in each other", maxDepth)
			}
			open = append(open, d)
		default:
			words, err := httpdWords(at, line)
			if err != nil {
				return nil, err
			}
			top.block = append(top.block, directive{position: at, name: strings.ToLower(words[0]), written: words[0], args: words[1:]})
		}
	}
	if top := open[len(open)-1]; len(open) > 1 {
		return nil, top.errorf("<%s> is never closed", quotedBare(top.name))
	}
	return open[0].block, nil
}

// httpdSection returns the directive that a line such as <Proxy balancer://x> opens.
func httpdSection(at position, line string) (directive, error) {
	inside, ok := strings.CutSuffix(line[1:], ">")
	if !ok {
		return directive{}, at.errorf("%s has no \">\" at its end", quoted(line))
	}
	words, err := httpdWords(at, strings.TrimSpace(inside))
	if err != nil || len(words) == 0 {
		return directive{}, cmp.Or(err, at.errorf("a section without a name"))
	}
	if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "</") }) {
		return directive{}, at.errorf("<%s> continues after its \">\": were line ends lost?", quotedBare(words[0]))
	}
	return directive{position: at, name: strings.ToLower(words[0]), written: words[0], args: words[1:]}, nil
}

// quotedBare returns a file name for an error, without quotes.
func quotedBare(name string) string { return strings.Trim(quoted(name), `"`) }

// A logicalLine is a line including continuation lines.
type logicalLine struct {
	text   string
	number int // first line, from 1
}

func logicalLines(text string) []logicalLine {
	var out []logicalLine
	joined := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		body, continued := strings.CutSuffix(line, `\`)
		if joined {
			out[len(out)-1].text += body
		} else {
			out = append(out, logicalLine{body, i + 1})
		}
		joined = continued
	}
	return out
}

// httpdWords splits a line as httpd does: a quote counts only at the beginning of a
// word, and the text after the closing quote is the next word.
func httpdWords(at position, line string) ([]string, error) {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] != '"' && line[0] != '\'' {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			words = append(words, line[:end])
			line = line[end:]
			continue
		}
		end := closingQuote(line)
		if end < 0 {
			return nil, at.errorf("the quote %s is never closed", line[:1])
		}
		words = append(words, httpdUnescape(line[1:end], line[:1]))
		line = line[end+1:]
	}
	return words, nil
}

// closingQuote returns the position of the closing quote; -1: none.
func closingQuote(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i
		}
	}
	return -1
}

func httpdUnescape(text, quote string) string {
	return strings.NewReplacer(`\\`, `\`, `\`+quote, quote).Replace(text)
}

// variables are the values of Define, for ${NAME}.
type variables map[string]string

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}`)

func (v variables) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(reference string) string {
		if value, ok := v[reference[2:len(reference)-1]]; ok {
			return value
		}
		return reference
	})
}

// switchedOff reports whether a section applies only without a module.
func switchedOff(d directive) bool {
	return d.name == "ifmodule" && strings.HasPrefix(d.arg(0), "!")
}

// evaluate resolves conditions and variables: all modules are assumed to be loaded, and
// no parameter to be defined on the command line. Of two alternatives the usual one is
// used.
func (v variables) evaluate(tree []directive) []directive {
	var out []directive
	for _, line := range tree {
		for i := range line.args {
			line.args[i] = v.expand(line.args[i])
		}
		if switchedOff(line) {
			continue
		}
		switch line.name {
		case "define":
			if len(line.args) == 2 && len(line.args[1]) < 1<<10 { // repeated definitions such as ${X}${X} would exhaust memory
				v[line.args[0]] = line.args[1]
			}
		case "ifdefine":
			name, negated := strings.CutPrefix(line.arg(0), "!")
			if _, defined := v[name]; defined != negated {
				out = append(out, v.evaluate(line.block)...)
			}
		case "ifmodule", "ifversion":
			out = append(out, v.evaluate(line.block)...)
		default:
			line.block = v.evaluate(line.block)
			out = append(out, line)
		}
	}
	return out
}

// defines reads the Define lines of a tree, wherever they are: httpd expands a variable
// in all files that it reads later.
func (v variables) defines(tree []directive) {
	for _, d := range tree {
		v.defines(d.block)
		if _, known := v[d.arg(0)]; !known && d.name == "define" && len(d.args) == 2 && !strings.Contains(d.args[1], "${") && len(d.args[1]) < 1<<10 {
			v[d.args[0]] = d.args[1]
		}
	}
}

// macros are the <Macro> sections of mod_macro by their names in lower case.
type macros struct {
	reader *httpdReader
	known  map[string]directive
	left   *int // directives that may still result
}

// expand replaces Use by the contents of its macro, with the macro's parameters as text.
func (m macros) expand(tree []directive, depth int) []directive {
	if m.left == nil {
		m.left = new(maxInserted)
	}
	var out []directive
	for _, d := range tree {
		name := strings.ToLower(d.arg(0))
		macro, known := m.known[name]
		switch {
		case d.name == "macro":
			m.known[name] = d
		case d.name == "use" && (!known || len(d.args) != len(macro.args) || depth > maxDepth):
			m.reader.note("%s: %s: there is no macro of that name and number of parameters: its lines are missing here", d.position, d.text())
		case d.name == "use":
			out = append(out, m.expand(m.replace(macro.block, parameters(macro.args[1:], d.args[1:])), depth+1)...)
		default:
			d.block = m.expand(d.block, depth)
			out = append(out, d)
		}
	}
	return out
}

// parameters replaces the parameters of a macro, the longest first.
func parameters(names, values []string) *strings.Replacer {
	order := make([]int, 0, len(names))
	for i, name := range names {
		if name != "" {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(names[b]) - len(names[a]) })
	var pairs []string
	for _, i := range order {
		pairs = append(pairs, names[i], values[i])
	}
	return strings.NewReplacer(pairs...)
}

// replace returns a copy of a macro's contents with its parameters replaced.
func (m macros) replace(block []directive, r *strings.Replacer) []directive {
	var out []directive
	for _, d := range block {
		if *m.left--; *m.left < 0 {
			return out
		}
		args := make([]string, len(d.args))
		for i, arg := range d.args {
			args[i] = r.Replace(arg)
		}
		d.args = args
		d.block = m.replace(d.block, r)
		out = append(out, d)
	}
	return out
}
