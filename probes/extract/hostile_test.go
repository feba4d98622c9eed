package extract

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

// hostileSize is large enough to distinguish linear from quadratic time, and small
// enough for the race detector.
const hostileSize = probes.MaxBody / 8

// hostile returns pages that take quadratic time, or more memory than there is, in a
// simple implementation.
func hostile() map[string]string {
	fill := func(prefix, part string) string {
		return prefix + strings.Repeat(part, (hostileSize-len(prefix))/len(part))
	}
	var formats, roots strings.Builder
	for i := range 300 {
		fmt.Fprintf(&formats, "<b a%d>", i)
	}
	for i := 0; roots.Len() < hostileSize; i++ {
		fmt.Fprintf(&roots, "<html a%d>", i)
	}
	return map[string]string{
		"elements to copy":        fill("<p>"+formats.String(), "<p>x"),
		"attributes to merge":     roots.String(),
		"texts to join":           fill("", "x</q>"),
		"texts to move":           fill("<table>", "x</q>"),
		"deep elements":           fill("", "<div>"),
		"forms with lists":        fill(strings.Repeat("<form><select name=a>", maxDepth), "<br>"),
		"deep tables":             fill("", "<table><tr><td>"),
		"siblings":                fill("<table><tr>", "<td>node"),
		"rows":                    fill("<table>", "<tr><td>node<td>"),
		"end tags":                fill(strings.Repeat("<div>", maxDepth), "</q>"),
		"attributes":              fill("<p ", "a "),
		"comments":                fill("", "<!--"),
		"scripts":                 fill("<script>", "<!--<script>"),
		"metas":                   fill("", "<meta "),
		"angles":                  fill("", "<"),
		"garbage":                 fill("", "\x00\xff\x80<\xe8"),
		"blanks":                  fill("", " "),
		"labels":                  fill("", "node:"),
		"labels in brackets":      fill("", ",(node:(node:"),
		"labels after blanks":     fill("", " node: "),
		"labels without values":   fill("", "node: , "),
		"labels in lines":         fill("", "node\n"),
		"pairs":                   fill("", "<b>x</b>y"),
		"pairs with labels":       fill("", "<b>node</b><b>?</b>"),
		"a value":                 fill("node: ", "x"),
		"deep objects":            fill("", `{"node":`),
		"deep arrays":             fill("", "["),
		"members":                 fill(`{"x":0`, `,"node":null`) + "}",
		"elements of arrays":      fill("[0", ",[]") + "]",
		"a number of many digits": fill(`{"node":1`, "0") + "}",
	}
}

func everyKind(tb testing.TB) map[string]probes.Extractor {
	return map[string]probes.Extractor{
		"labels":   node,
		"regex":    mustNew(tb, Spec{Regex: `node\s*:\s*(\w+)\s*;`}),
		"css":      mustNew(tb, Spec{CSS: "table tr:nth-child(7) > td:nth-child(2)"}),
		"sibling":  mustNew(tb, Spec{CSS: "td + td:last-child:contains(absent)"}),
		"xpath":    mustNew(tb, Spec{XPath: `//td[contains(., "node")]/following-sibling::td[1]/b`}),
		"jsonpath": mustNew(tb, Spec{JSONPath: "$..absent"}),
	}
}

// TestHostilePages does not measure time and memory: quadratic time in one of these
// pages would exceed the test's own timeout.
func TestHostilePages(t *testing.T) {
	extractors := everyKind(t)
	for name, body := range hostile() {
		doc := document(body, "")
		if _, err := (Forms{}).ReadForm(doc, probes.FormFields{User: true, Password: true}); err == nil {
			t.Errorf("%s: a form was found", name)
		}
		for kind, e := range extractors {
			t.Run(name+"/"+kind, func(t *testing.T) { checkValue(t, e, doc) })
		}
	}
}

// checkValue checks the guarantees of probes.Extractor.
func checkValue(t *testing.T, e probes.Extractor, doc probes.Document) {
	t.Helper()
	v, ok := e.Extract(doc)
	switch {
	case ok != (v != ""):
		t.Errorf("want a value if and only if there is one, got %q, %t", v, ok)
	case len(v) > probes.MaxValue:
		t.Errorf("want at most %d bytes, got %d", probes.MaxValue, len(v))
	case !utf8.ValidString(v):
		t.Errorf("want UTF-8, got %q", v)
	case strings.TrimSpace(v) != v:
		t.Errorf("want it trimmed, got %q", v)
	case strings.ContainsFunc(v, unicode.IsControl):
		t.Errorf("want no control characters, got %q", v)
	}
}

func FuzzLabels(f *testing.F) {
	for _, body := range pages(f) {
		f.Add(body, "text/html")
	}
	f.Add([]byte("node: node1\n"), "text/plain; charset=gbk")
	f.Add([]byte(`[{"data":{"node":"node1"}}]`), "application/json")
	f.Add([]byte("<tr><th>node<th><td><dl><dt>node:<template><pre>\n</pre><b>node"), "")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		checkValue(t, node, document(string(body), contentType))
	})
}

func FuzzNew(f *testing.F) {
	seeds := []Spec{
		{Cookie: "c", After: ".", Before: "."},
		{Header: "Content-Type", After: "="},
		{Regex: `(\w+)=(\w+)`, Charset: "gbk"},
		{CSS: "tr:nth-child(2) > td", Attr: "title"},
		{XPath: `string(//td[contains(., "node")]/following-sibling::td[1])`},
		{JSONPath: "$..servers[?(@.pid > 1)].id"},
	}
	for _, body := range pages(f) {
		for _, s := range seeds {
			f.Add(s.Cookie, s.Header, s.Regex, s.CSS, s.XPath, s.JSONPath, s.Attr, s.After, s.Before, s.Charset, body)
		}
	}
	f.Fuzz(func(t *testing.T, cookie, header, regex, css, xpath, jsonpath, attr, after, before, charset string, body []byte) {
		e, err := New(Spec{
			Cookie: cookie, Header: header, Regex: regex, CSS: css, XPath: xpath, JSONPath: jsonpath,
			Attr: attr, After: after, Before: before, Charset: charset,
		})
		if err != nil {
			if e != nil || err.Error() == "" {
				t.Errorf("want an error alone, with a text, got %v, %q", e, err)
			}
			return
		}
		doc := document(string(body), "text/html")
		doc.Cookies = map[string]string{"c": string(body)}
		checkValue(t, e, doc)
	})
}

// pages returns the bodies in testdata/pages.
func pages(tb testing.TB) [][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "pages", "*"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("looking for pages: %v, %d found", err, len(names))
	}
	var bodies [][]byte
	for _, name := range names {
		body, err := os.ReadFile(name)
		must.Succeed(tb, err)
		bodies = append(bodies, body)
	}
	return bodies
}
