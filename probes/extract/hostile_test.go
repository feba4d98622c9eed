package extract

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"stickwatch/probes"
)

// hostileSize is a part of probes.MaxBody that tells linear from quadratic and
// spares the race detector.
const hostileSize = probes.MaxBody / 8

// hostile are pages that take quadratic time, or more memory
// than there is, where one is careless.
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

// Time and memory are not measured here: what is quadratic in one of these
// pages would not end before the test's own time-out.
func TestHostilePages(t *testing.T) {
	extractors := everyKind(t)
	for name, body := range hostile() {
		doc := document(body, "")
		for kind, e := range extractors {
			t.Run(name+"/"+kind, func(t *testing.T) { checkValue(t, e, doc) })
		}
	}
}

// checkValue holds an extractor to the promises of probes.Extractor.
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
