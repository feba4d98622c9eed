package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxFile limits the size of a configuration, in bytes.
const maxFile = 1 << 20

// maxMessage limits the messages of packages that parse part of a configuration, in
// characters.
const maxMessage = 200

// A document is a configuration as a tree of YAML nodes, with the problems found so
// far.
type document struct {
	file  string
	lines []string
	root  *yaml.Node
	env   getenv             // nil: values are taken literally
	flags map[keyPath]string // flag of each key; nil: the configuration is a file

	nodes    map[keyPath]*yaml.Node // every decoded value
	expanded map[*yaml.Node]bool    // the value contains variables of the environment
	broken   map[keyPath]bool       // true: the value could not be decoded; false: a value in it could not
	hidden   []string               // texts of the file that may be secrets
	problems Problems
}

func newDocument(file string, root *yaml.Node) *document {
	return &document{
		file: file, root: root,
		nodes: map[keyPath]*yaml.Node{}, expanded: map[*yaml.Node]bool{}, broken: map[keyPath]bool{},
	}
}

// parse parses data. On a syntax error the document has problems and no root.
func parse(file string, data []byte, env getenv) *document {
	doc := newDocument(file, nil)
	doc.env = env
	if len(data) > maxFile {
		doc.at(0, 0, "", fmt.Sprintf("is larger than %d KiB: this cannot be a configuration", maxFile>>10))
		return doc
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	doc.lines = strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if doc.refuseBytes() {
		return doc
	}
	doc.load(data)
	return doc
}

// refuseBytes reports a problem and returns true if the file is not text.
func (doc *document) refuseBytes() bool {
	for i, line := range doc.lines {
		for offset, r := range line {
			var message string
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(line[offset:], "\ufffd"):
				message = "is not UTF-8: save the file in that encoding"
			case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
				message = fmt.Sprintf("has the control character %U", r)
			default:
				continue
			}
			doc.at(i+1, utf8.RuneCountInString(line[:offset])+1, "", message)
			doc.lines = nil // must not be shown
			return true
		}
	}
	return false
}

// load parses data, which must contain exactly one document.
func (doc *document) load(data []byte) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		doc.at(0, 0, "", err.Error())
		return
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF), err == nil && first.Content[0].Tag == "!!null":
		doc.at(0, 0, "", "is empty: expected at least one cluster")
		return
	case err != nil:
		doc.syntax(err)
		return
	}
	switch err := loader.Load(&second); {
	case err == nil:
		doc.at(second.Line, second.Column, "", "a second YAML document begins here: a configuration is one")
		return
	case !errors.Is(err, io.EOF):
		doc.syntax(err)
		return
	}
	doc.root = first.Content[0]
}

// syntax reports a YAML error.
func (doc *document) syntax(err error) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		doc.at(0, 0, "", err.Error())
		return
	}
	message := quotedWord.ReplaceAllString(e.Message, "'...'")
	if e.ContextMsg != "" {
		message = e.ContextMsg + ": " + message
	}
	line, column := e.Mark.Line, e.Mark.Column
	if line >= 1 && line <= len(doc.lines) {
		if text := doc.lines[line-1]; strings.Contains(text[:indentation(text)], "\t") {
			message, column = "the line is indented with a tab: expected spaces", strings.Index(text, "\t")+1
		} else if strings.Contains(text, "${") {
			message += "; within {} and [], ${VARIABLES} need quotes"
		}
	}
	doc.at(line, column, "", "is no valid YAML: "+oneLine(message, maxMessage))
}

// quotedWord matches text of the file in the parser's messages. It may be a secret: one
// that begins with * and has no quotes is parsed as an alias.
var quotedWord = regexp.MustCompile(`'[^'\s]{3,}'`)

// A getenv looks up an environment variable, like os.LookupEnv.
type getenv func(name string) (value string, ok bool)

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// wholeVariable matches text that consists of a single variable.
	wholeVariable = regexp.MustCompile(`^["']?\$\{[A-Za-z_][A-Za-z0-9_]*\}["']?$`)
)

// expand replaces ${NAME} and ${NAME:-default} in text. As in a shell, the default is
// used for a variable that is unset or empty. Only "${" starts a variable, because
// regular expressions often contain "$"; "$${" is a literal "${". Values are not
// expanded again.
func expand(text string, env getenv) (string, error) {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(text, "${")
		if !ok {
			out.WriteString(text)
			return out.String(), nil
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before[:len(before)-1] + "${")
			text = after
			continue
		}
		reference, rest, ok := strings.Cut(after, "}")
		if !ok {
			return "", errors.New("${ without }: write $${ for a literal ${")
		}
		value, err := lookup(reference, env)
		if err != nil {
			return "", err
		}
		out.WriteString(before + value)
		text = rest
	}
}

// lookup returns the value of NAME or NAME:-default.
func lookup(reference string, env getenv) (string, error) {
	name, fallback, optional := strings.Cut(reference, ":-")
	if !variableName.MatchString(name) {
		return "", errors.New("expected ${NAME} or ${NAME:-default}: write $${ for a literal ${")
	}
	value, ok := env(name)
	switch {
	case optional && value == "":
		return fallback, nil
	case !ok:
		return "", fmt.Errorf("the environment variable %s is not set: set it, or write ${%s:-default}", name, name)
	}
	return value, nil
}
