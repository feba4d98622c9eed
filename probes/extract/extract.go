// Package extract reads values from answers: the node that answered, the session, and
// the values that the session contains.
//
// The pages come from other applications, may have any charset, and may be hostile. For
// every page, an extractor takes time and memory that are linear in its size, and
// returns a short clean value or none. If a page is ambiguous it returns none: a
// missing value is reported as unknown, but a wrong node would raise a false alarm.
package extract

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"stickwatch/probes"
)

// A Spec is the location of a value in an answer. Exactly one of the sources, Cookie to
// JSONPath, is set. CSS and XPath read the first 10,000 elements and texts of a page.
type Spec struct {
	Cookie   string // value of the cookie of this name
	Header   string // first value of the header of this name
	Regex    string // RE2, searched in the body as served: first group that is not empty, or the whole match if it has no groups
	CSS      string // text of the first element selected
	XPath    string // first node selected, or the result of a function such as string()
	JSONPath string // first value selected, if it is a string, a number or a boolean

	Attr string // with CSS: this attribute instead of the text

	// After keeps the text after the first occurrence of a separator. A value without
	// the separator is no value: a session cookie without a route names no node. Before
	// then keeps the text before the first occurrence of its own separator, or all of
	// it.
	After, Before string

	Charset string // of the body, whatever it declares; "": as declared, or guessed

	Use Use // what the value is for
}

// A Use says what happens to a value.
type Use int

// The uses.
const (
	Shown    Use = iota // the value is a short clean text
	Token               // the value is sent back as it is, up to maxToken bytes, such as a form's CSRF token
	Presence            // only whether there is a value counts, even an empty one; the text false counts as none
)

// maxToken bounds a token, in bytes. Those of Laravel have some 350, and no cookie is longer.
const maxToken = 4096

// New returns an extractor for a Spec. An error names the part of the Spec that is
// invalid.
func New(s Spec) (probes.Extractor, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	src, err := s.source()
	if err != nil {
		return nil, err
	}
	return extractor{find: src, after: s.After, before: s.Before, use: s.Use}, nil
}

// A source finds a raw value, which an extractor cleans.
type source func(probes.Document) (string, bool)

type extractor struct {
	find          source
	after, before string
	use           Use
}

func (e extractor) Extract(doc probes.Document) (string, bool) {
	v, ok := e.find(doc)
	if ok && e.after != "" {
		_, v, ok = strings.Cut(v, e.after)
	}
	if !ok {
		return "", false
	}
	if e.before != "" {
		v, _, _ = strings.Cut(v, e.before)
	}
	switch e.use {
	case Token:
		v = strings.TrimSpace(v)
		return v, v != "" && len(v) <= maxToken
	case Presence:
		return "present", v != "false"
	default:
		return clean(v)
	}
}

func (s Spec) check() error {
	set := s.sources()
	switch {
	case len(set) == 0:
		return errors.New("choosing a source: none of cookie, header, regex, css, xpath, jsonpath is set")
	case len(set) > 1:
		return fmt.Errorf("choosing a source: only one may be set, got %s", strings.Join(set, " and "))
	case s.Attr != "" && s.CSS == "":
		return fmt.Errorf("choosing attribute %q: it goes with css only, got %s", s.Attr, set[0])
	}
	return checkCharset(s.Charset)
}

// sources returns the names of the sources that are set.
func (s Spec) sources() []string {
	var set []string
	for _, f := range []struct{ name, value string }{
		{"cookie", s.Cookie},
		{"header", s.Header},
		{"regex", s.Regex},
		{"css", s.CSS},
		{"xpath", s.XPath},
		{"jsonpath", s.JSONPath},
	} {
		if f.value != "" {
			set = append(set, f.name)
		}
	}
	return set
}

func (s Spec) source() (source, error) {
	switch {
	case s.Cookie != "":
		return cookie(s.Cookie), nil
	case s.Header != "":
		return header(s.Header), nil
	case s.Regex != "":
		return inText(s.Regex, s.Charset)
	case s.CSS != "":
		return inCSS(s.CSS, s.Attr, s.Charset)
	case s.XPath != "":
		return inXPath(s.XPath, s.Charset)
	default:
		return inJSON(s.JSONPath, s.Charset)
	}
}

func cookie(name string) source {
	return func(doc probes.Document) (string, bool) {
		v, ok := doc.Cookies[name]
		return v, ok
	}
}

func header(name string) source {
	return func(doc probes.Document) (string, bool) {
		v := doc.Header.Get(name)
		return v, v != ""
	}
}

func inText(expr, charset string) (source, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("parsing regex %q: %w", expr, err)
	}
	return func(doc probes.Document) (string, bool) {
		groups := re.FindStringSubmatch(decode(doc, charset))
		switch len(groups) {
		case 0:
			return "", false
		case 1:
			return groups[0], true
		}
		for _, g := range groups[1:] {
			if g != "" {
				return g, true
			}
		}
		return "", false
	}, nil
}

// titleWithin bounds the part of a page that is searched for its title, in bytes.
const titleWithin = 8 << 10

var titleElement = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)

// Title returns an extractor of the title of an HTML page.
func Title() probes.Extractor { return title{} }

type title struct{}

func (title) Extract(doc probes.Document) (string, bool) {
	text := decode(doc, "")
	found := titleElement.FindStringSubmatch(text[:min(len(text), titleWithin)])
	if found == nil {
		return "", false
	}
	return html.UnescapeString(strings.TrimSpace(found[1])), true
}

type first []probes.Extractor

// First returns an extractor of the first value that any of es finds.
func First(es ...probes.Extractor) probes.Extractor { return first(es) }

func (f first) Extract(doc probes.Document) (string, bool) {
	for _, e := range f {
		if v, ok := e.Extract(doc); ok {
			return v, true
		}
	}
	return "", false
}

type join struct {
	sep string
	es  []probes.Extractor
}

// Join returns an extractor of the values of all es, joined by sep. If one finds
// nothing, there is no value. Two facts that change together, such as pid and start
// time of a process, identify a process even if neither is unique.
func Join(sep string, es ...probes.Extractor) probes.Extractor { return join{sep, es} }

func (j join) Extract(doc probes.Document) (string, bool) {
	parts := make([]string, 0, len(j.es))
	for _, e := range j.es {
		v, ok := e.Extract(doc)
		if !ok {
			return "", false
		}
		parts = append(parts, v)
	}
	return clean(strings.Join(parts, j.sep))
}

// clean returns a value that can be shown, compared and stored: valid UTF-8, white
// space as single blanks, no characters that move a cursor or reorder text, and at most
// probes.MaxValue bytes. An empty result is no value.
func clean(s string) (string, bool) {
	s = strings.Map(visible, strings.ToValidUTF8(s, string(utf8.RuneError)))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > probes.MaxValue {
		end := probes.MaxValue
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = strings.TrimSpace(s[:end])
	}
	return s, s != ""
}

// visible keeps visible characters, replaces white space by blanks, and drops the rest:
// controls, and format characters such as a right-to-left override.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
		return -1
	default:
		return r
	}
}
