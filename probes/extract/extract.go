// Package extract finds values in answers: which node gave one, which session
// it belongs to, what the session holds.
//
// The pages were written by other people, in any charset, and may be hostile.
// Whatever an answer is made of, an extractor takes time and memory that are
// linear in its size, and returns a short clean value or none. When a page may
// mean two things it returns none: a monitor that knows nothing says so, one
// that has read a wrong node name raises a false alarm.
package extract

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"stickwatch/probes"
)

// A Spec tells where a value stands in an answer. Exactly one of the sources,
// Cookie to JSONPath, is set. CSS and XPath see the first 10,000 elements and
// texts of a page.
type Spec struct {
	Cookie   string // value of the cookie of this name
	Header   string // first value of the header of this name
	Regex    string // RE2, searched in the body as served: first group that matched, or the whole match
	CSS      string // text of the first element selected
	XPath    string // first node selected, or the result of a function such as string()
	JSONPath string // first value selected, when it is a string, a number or a boolean

	Attr string // with CSS: this attribute instead of the text

	// After keeps what follows the first occurrence of a separator; a value
	// without it is no value, as a session cookie without a route tells no node.
	// Before then keeps what precedes the first occurrence of its own, or all.
	After, Before string

	Charset string // of the body, against whatever it declares; "": as declared, or guessed
}

// New returns an extractor for a Spec. Errors tell which part of it is wrong.
func New(s Spec) (probes.Extractor, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	src, err := s.source()
	if err != nil {
		return nil, err
	}
	return extractor{find: src, after: s.After, before: s.Before}, nil
}

// A source finds a raw value. It may be anything; an extractor cleans it.
type source func(probes.Document) (string, bool)

type extractor struct {
	find          source
	after, before string
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
	return clean(v)
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

// sources names the sources that are set.
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
