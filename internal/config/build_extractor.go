package config

import (
	"strings"

	"stickwatch/probes"
	"stickwatch/probes/cookies"
	"stickwatch/probes/extract"
)

// An extractorContext is the context that extractors need beside their own keys.
type extractorContext struct {
	charset string           // default charset of pages
	servers []cookies.Server // servers that a balancer's cookie may name; nil: the extractor does not return a node
}

// sourceNames are the keys of an extractor of which exactly one is required.
var sourceNames = []string{
	"cookie", "header", "regex", "css", "xpath", "jsonpath", "labels", balancerCookie, "first", "join",
}

// sources returns the source keys that are set.
func (w *wireExtractor) sources() []string {
	there := []bool{
		w.Cookie != "", w.Header != "", w.Regex != "", w.CSS != "", w.XPath != "", w.JSONPath != "",
		len(w.Labels) > 0, w.BalancerCookie != "", len(w.First) > 0, len(w.Join) > 0,
	}
	var names []string
	for i, ok := range there {
		if ok {
			names = append(names, sourceNames[i])
		}
	}
	return names
}

// cookie returns the name of the cookie that an extractor reads; "" for none.
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

// extractor builds w, nil for nil.
func (b *builder) extractor(w *wireExtractor, r extractorContext, at keyPath) probes.Extractor {
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
	}
	b.checkExclusive(w, sources[0], at)
	if w.Charset != "" {
		r.charset = b.charset(at.key("charset"), w.Charset)
	}
	e := b.source(w, r, at.key(sources[0]))
	if e == nil || w.After == "" && len(w.Before) == 0 {
		return e
	}
	return cut{from: e, after: w.After, before: w.Before}
}

// checkExclusive reports keys that have no effect with a source.
func (b *builder) checkExclusive(w *wireExtractor, source string, at keyPath) {
	for _, k := range []struct {
		key   string
		there bool
		with  string
	}{
		{"attr", w.Attr != "", "css"},
		{"secret", !w.Secret.IsZero(), balancerCookie},
		{"secret_file", w.SecretFile != "", balancerCookie},
		{"backend", w.Backend != "", balancerCookie},
	} {
		if k.there && source != k.with {
			b.problem(at.key(k.key), "goes with %s only, and this is %s", k.with, source)
		}
	}
	if source == balancerCookie && (w.After != "" || len(w.Before) > 0) {
		b.problem(at, "after and before do not go with balancer_cookie: what it finds is the id of a node")
	}
}

// source builds the source of w, before anything is cut off. It returns nil and reports
// an error if that is impossible.
func (b *builder) source(w *wireExtractor, r extractorContext, at keyPath) probes.Extractor {
	var (
		e    probes.Extractor
		err  error
		attr string
	)
	if w.CSS != "" { // reported already for any other source
		attr = w.Attr
	}
	switch {
	case w.BalancerCookie != "":
		return b.affinity(w, r.servers, at)
	case len(w.Labels) > 0:
		e, err = extract.LabelsIn(r.charset, w.Labels...)
	case len(w.First) > 0:
		e = extract.First(b.extractors(w.First, r, at)...)
	case len(w.Join) > 0: // joined values are no node's id
		e = extract.Join("/", b.extractors(w.Join, extractorContext{charset: r.charset}, at)...)
	default:
		e, err = extract.New(extract.Spec{
			Cookie: w.Cookie, Header: w.Header, Regex: w.Regex, CSS: w.CSS, XPath: w.XPath, JSONPath: w.JSONPath,
			Attr: attr, Charset: r.charset,
		})
	}
	switch {
	case err == nil:
		return e
	case b.expanded[b.nearest(at)]:
		b.problem(at, "%s cannot be used with its variables filled in", b.valueText(at, ""))
	default:
		b.problem(at, "%s", oneLine(err.Error(), maxMessage))
	}
	return nil
}

func (b *builder) extractors(ws []wireExtractor, r extractorContext, at keyPath) []probes.Extractor {
	out := make([]probes.Extractor, len(ws))
	for i := range ws {
		out[i] = b.extractor(&ws[i], r, at.item(i))
	}
	return out
}

// cut keeps part of another extractor's value. A session id of
// memcached-session-manager ends at the first of two separators.
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
