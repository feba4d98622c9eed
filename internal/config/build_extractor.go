package config

import (
	"strings"

	"stickwatch/probes"
	"stickwatch/probes/cookies"
	"stickwatch/probes/extract"
)

// A extractorContext is what extractors need to know beside their own keys.
type extractorContext struct {
	charset string           // of the pages, where an extractor has none of its own
	servers []cookies.Server // whom a balancer's cookie may name; nil: it is not a node that is looked for
}

// sourceNames is the keys of an extractor of which exactly one must be there.
var sourceNames = []string{
	"cookie", "header", "regex", "css", "xpath", "jsonpath", "labels", balancerCookie, "first", "join",
}

// sources is the names of those that are.
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

// checkExclusive reports keys that stand beside a source that has no use for them.
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

// source builds what w reads, before anything is cut off; nil, and reported,
// if that cannot be.
func (b *builder) source(w *wireExtractor, r extractorContext, at keyPath) probes.Extractor {
	var (
		e    probes.Extractor
		err  error
		attr string
	)
	if w.CSS != "" { // with any other source it was told
		attr = w.Attr
	}
	switch {
	case w.BalancerCookie != "":
		return b.affinity(w, r.servers, at)
	case len(w.Labels) > 0:
		e, err = extract.LabelsIn(r.charset, w.Labels...)
	case len(w.First) > 0:
		e = extract.First(b.extractors(w.First, r, at)...)
	case len(w.Join) > 0: // what is joined is no node's id
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
