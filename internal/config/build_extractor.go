package config

import (
	"fmt"
	"net"
	"strings"

	"stickwatch/probes"
	"stickwatch/probes/cookies"
	"stickwatch/probes/extract"
)

// An extractorContext is the context that extractors need beside their own keys.
type extractorContext struct {
	charset string           // default charset of pages
	use     extract.Use      // what the value is for
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

// extractor builds an extractor; nil for nil.
func (b *builder) extractor(wire *wireExtractor, r extractorContext, at keyPath) probes.Extractor {
	if wire == nil {
		return nil
	}
	sources := wire.sources()
	switch {
	case len(sources) == 0:
		b.problem(at, "expected %s", list(sourceNames))
		return nil
	case len(sources) > 1:
		b.problem(at, "expected a single source, got %s", strings.Join(sources, " and "))
		return nil
	}
	b.checkExclusive(wire, sources[0], at)
	if wire.Charset != "" {
		r.charset = b.charset(at.key("charset"), wire.Charset)
	}
	e := b.source(wire, r, at.key(sources[0]))
	if e == nil || wire.After == "" && len(wire.Before) == 0 {
		return e
	}
	return cut{from: e, after: wire.After, before: wire.Before}
}

// checkExclusive reports keys that have no effect with a source.
func (b *builder) checkExclusive(wire *wireExtractor, source string, at keyPath) {
	for _, k := range []struct {
		key   string
		there bool
		with  string
	}{
		{"attr", wire.Attr != "", "css"},
		{"secret", !wire.Secret.IsZero(), balancerCookie},
		{"secret_file", wire.SecretFile != "", balancerCookie},
		{"backend", wire.Backend != "", balancerCookie},
	} {
		if k.there && source != k.with {
			b.problem(at.key(k.key), "requires %s, got %s", k.with, source)
		}
	}
	if source == balancerCookie && (wire.After != "" || len(wire.Before) > 0) {
		b.problem(at, "after and before do not go with balancer_cookie: what it finds is the id of a node")
	}
}

func (b *builder) labelsIn(charset string, labels []string) (probes.Extractor, error) {
	key := fmt.Sprintf("%q %q", charset, labels)
	if made := b.labels[key]; made != nil {
		return made, nil
	}
	made, err := extract.LabelsIn(charset, labels...)
	if err != nil {
		return nil, err
	}
	if b.labels == nil {
		b.labels = make(map[string]probes.Extractor)
	}
	b.labels[key] = made
	return made, nil
}

// source builds the source of an extractor, before anything is cut off. It returns nil and
// reports an error if that is impossible.
func (b *builder) source(wire *wireExtractor, r extractorContext, at keyPath) probes.Extractor {
	var (
		extractor probes.Extractor
		err       error
		attr      string
	)
	if wire.CSS != "" { // reported already for any other source
		attr = wire.Attr
	}
	switch {
	case wire.BalancerCookie != "":
		return b.affinity(wire, r.servers, at)
	case len(wire.Labels) > 0:
		extractor, err = b.labelsIn(r.charset, wire.Labels)
	case len(wire.First) > 0:
		extractor = extract.First(b.extractors(wire.First, r, at)...)
	case len(wire.Join) > 0: // joined values are no node's id
		extractor = extract.Join("/", b.extractors(wire.Join, extractorContext{charset: r.charset}, at)...)
	default:
		extractor, err = extract.New(extract.Spec{
			Cookie: wire.Cookie, Header: wire.Header, Regex: wire.Regex, CSS: wire.CSS, XPath: wire.XPath, JSONPath: wire.JSONPath,
			Attr: attr, Charset: r.charset, Use: r.use,
		})
	}
	switch {
	case err == nil:
		return extractor
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

// balancerCookie is the key of the source that needs the list of nodes.
const balancerCookie = "balancer_cookie"

// anyCookie selects the cookie with the most information.
const anyCookie = "auto"

// affinity returns the extractor that reads the node from the balancer's cookie. It
// returns nil and reports an error where servers is nil, that is outside session.node.
func (b *builder) affinity(w *wireExtractor, servers []cookies.Server, at keyPath) probes.Extractor {
	if servers == nil {
		b.problem(at, "identifies a node: it is allowed in session.node only, alone or in a list of first")
		return nil
	}
	name := w.BalancerCookie
	if !headerName.MatchString(name) { // RFC 6265 allows the names of headers
		b.problem(at, "expected %s or the name of a cookie, got %s", anyCookie, b.valueText(at, name))
	}
	if name == anyCookie {
		name = ""
	}
	secret, _ := b.valueOrFile(at.parent(), "secret", w.Secret.Reveal(), w.SecretFile)
	return cookies.Extractor(servers, cookies.Options{Cookie: name, Secret: secret, Backend: w.Backend})
}

// servers returns the nodes by the names they may have in the balancer's file; never
// nil. A node without an address was reported already.
func servers(nodes []probes.Node) []cookies.Server {
	out := make([]cookies.Server, 0, len(nodes))
	for _, n := range nodes {
		if n.URL == nil {
			continue
		}
		s := cookies.Server{ID: n.ID, URL: n.URL.String(), Names: []string{n.Label}}
		name := n.ServerName()
		if _, _, err := net.SplitHostPort(name); err == nil {
			s.Address = name
		} else { // servers of HAProxy and Envoy have names
			s.Names = append(s.Names, name)
		}
		out = append(out, s)
	}
	return out
}
