package config

import (
	"strings"

	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// session builds the session test; nil when there is none, or it is switched
// off by its policy or an empty path.
func (b *builder) session(w wireSession, at place) *probes.Session {
	policy, path := probes.Policy(w.Policy), deref(w.Path)
	if policy == probes.PolicyNone || w.Path != nil && path == "" {
		return nil
	}
	if path == "" {
		if w.Node != nil || w.ID != nil || w.Write != "" || w.Read != nil {
			b.problem(at.key("path"), "is missing: expected the path of a page that opens a session")
		}
		return nil
	}
	if w.Node == nil && w.ID == nil {
		b.problem(at, "expected node or id: without either no answer tells anything about a session")
	}
	if w.Read != nil && w.Write == "" {
		b.problem(at.key("read"), "goes with write only: nothing would be there to read")
	}
	charset := b.charset(at.key("charset"), w.Charset)
	return &probes.Session{
		Path:   b.path(at.key("path"), path),
		Policy: policy,
		Node:   b.extractor(w.Node, charset, at.key("node")),
		ID:     b.extractor(w.ID, charset, at.key("id")),
		Cookie: w.ID.cookie(),
		Write:  b.write(at.key("write"), w.Write, path),
		Read:   b.extractor(w.Read, charset, at.key("read")),
	}
}

// write is the path that stores a value; a query alone is added to the
// session's path, so that a profile's counter follows a path of the file's.
func (b *builder) write(at place, text, path string) string {
	switch {
	case text == "":
		return ""
	case !strings.Contains(text, "{value}"):
		b.problem(at, "expected {value} where the value goes, got %s", b.said(at, text))
	case strings.HasPrefix(text, "?") && strings.Contains(path, "?"):
		return path + "&" + text[1:]
	case strings.HasPrefix(text, "?"):
		return path + text
	}
	return b.path(at, text)
}

// charset is a character set that extractors know; "", and reported, for
// another.
func (b *builder) charset(at place, name string) string {
	if _, err := extract.LabelsIn(name); err != nil {
		b.problem(at, "unknown character set %s", b.said(at, name))
		return ""
	}
	return name
}

// cookie is the name of the cookie that an extractor reads; "" for none.
func (w *wireExtractor) cookie() string {
	if w == nil {
		return ""
	}
	for i := range w.First {
		if name := w.First[i].cookie(); name != "" {
			return name
		}
	}
	return w.Cookie
}

// extractor builds w, nil for nil. The charset is that of the pages, unless w
// has its own.
func (b *builder) extractor(w *wireExtractor, charset string, at place) probes.Extractor {
	if w == nil {
		return nil
	}
	sources := w.sources()
	switch {
	case len(sources) == 0:
		b.problem(at, "expected %s", list(sourceNames))
		return nil
	case len(sources) > 1:
		b.problem(at, "expected a single source, got %s", strings.Join(sources, " and "))
		return nil
	case w.Attr != "" && w.CSS == "":
		b.problem(at.key("attr"), "goes with css only, and this is %s", sources[0])
	}
	if w.Charset != "" {
		charset = b.charset(at.key("charset"), w.Charset)
	}
	e := b.source(w, charset, at.key(sources[0]))
	if e == nil || w.After == "" && len(w.Before) == 0 {
		return e
	}
	return cut{from: e, after: w.After, before: w.Before}
}

// source builds what w reads, before anything is cut off; nil, and reported,
// if that cannot be.
func (b *builder) source(w *wireExtractor, charset string, at place) probes.Extractor {
	var (
		e    probes.Extractor
		err  error
		attr string
	)
	if w.CSS != "" { // with any other source it was told
		attr = w.Attr
	}
	switch {
	case len(w.Labels) > 0:
		e, err = extract.LabelsIn(charset, w.Labels...)
	case len(w.First) > 0:
		e = extract.First(b.extractors(w.First, charset, at)...)
	case len(w.Join) > 0:
		e = extract.Join("/", b.extractors(w.Join, charset, at)...)
	default:
		e, err = extract.New(extract.Spec{
			Cookie: w.Cookie, Header: w.Header, Regex: w.Regex, CSS: w.CSS, XPath: w.XPath, JSONPath: w.JSONPath,
			Attr: attr, Charset: charset,
		})
	}
	switch {
	case err == nil:
		return e
	case b.expanded[b.nearest(at)]:
		b.problem(at, "%s cannot be used with its variables filled in", b.said(at, ""))
	default:
		b.problem(at, "%s", oneLine(err.Error(), maxMessage))
	}
	return nil
}

func (b *builder) extractors(ws []wireExtractor, charset string, at place) []probes.Extractor {
	out := make([]probes.Extractor, len(ws))
	for i := range ws {
		out[i] = b.extractor(&ws[i], charset, at.item(i))
	}
	return out
}

// sourceNames is the keys of an extractor of which exactly one must be there.
var sourceNames = []string{"cookie", "header", "regex", "css", "xpath", "jsonpath", "labels", "first", "join"}

// sources is the names of those that are.
func (w *wireExtractor) sources() []string {
	there := []bool{
		w.Cookie != "", w.Header != "", w.Regex != "", w.CSS != "", w.XPath != "", w.JSONPath != "",
		len(w.Labels) > 0, len(w.First) > 0, len(w.Join) > 0,
	}
	var names []string
	for i, ok := range there {
		if ok {
			names = append(names, sourceNames[i])
		}
	}
	return names
}

// cut keeps part of what another extractor finds. A session id of
// memcached-session-manager ends at one of two separators, whichever is there.
type cut struct {
	from   probes.Extractor
	after  string
	before []string
}

func (c cut) Extract(doc probes.Document) (string, bool) {
	value, ok := c.from.Extract(doc)
	if ok && c.after != "" {
		_, value, ok = strings.Cut(value, c.after)
	}
	for _, separator := range c.before {
		value, _, _ = strings.Cut(value, separator)
	}
	value = strings.TrimSpace(value)
	return value, ok && value != ""
}
