package config

import (
	"strings"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// session builds the session test; nil when there is none, or when its policy or an
// empty path disables it. nodes are the nodes that the balancer's cookie may name.
func (b *builder) session(w wireSession, nodes []probes.Node, at keyPath) *probes.Session {
	policy, path := probes.Policy(w.Policy), deref(w.Path)
	if policy == probes.PolicyNone || w.Path != nil && path == "" {
		return nil
	}
	if path == "" {
		if w.Node != nil || w.ID != nil || w.Store != nil || w.Write != "" || w.Read != nil {
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
	page := extractorContext{charset: b.charset(at.key("charset"), w.Charset)}
	ofNode := extractorContext{charset: page.charset, servers: servers(nodes)}
	return &probes.Session{
		Path:    b.path(at.key("path"), path),
		Policy:  policy,
		Timeout: b.sessionTimeout(at.key("timeout"), w.Timeout),
		Node:    b.extractor(w.Node, ofNode, at.key("node")),
		ID:      b.extractor(w.ID, page, at.key("id")),
		Store:   b.extractor(w.Store, page, at.key("store")),
		Cookie:  w.ID.cookie(),
		Write:   b.write(at.key("write"), w.Write, path),
		Read:    b.extractor(w.Read, page, at.key("read")),
	}
}

// sessionTimeout returns how long the application keeps an unused session; 0: not
// configured.
func (b *builder) sessionTimeout(at keyPath, d *duration) time.Duration {
	if d == nil {
		return 0
	}
	timeout := time.Duration(*d)
	if timeout < time.Second {
		b.problem(at, "expected at least 1s, got %s", FormatDuration(timeout))
	}
	return timeout
}

// write returns the path that stores a value. A query alone is appended to the
// session's path, so that a profile's counter works with another path.
func (b *builder) write(at keyPath, text, path string) string {
	switch {
	case text == "":
		return ""
	case !strings.Contains(text, "{value}"):
		b.problem(at, "expected {value} where the value goes, got %s", b.valueText(at, text))
	case strings.HasPrefix(text, "?") && strings.Contains(path, "?"):
		return path + "&" + text[1:]
	case strings.HasPrefix(text, "?"):
		return path + text
	}
	return b.path(at, text)
}

// charset returns a character set that extractors support. It returns "" and reports an
// error for another.
func (b *builder) charset(at keyPath, name string) string {
	if _, err := extract.LabelsIn(name); err != nil {
		b.problem(at, "unknown character set %s", b.valueText(at, name))
		return ""
	}
	return name
}
