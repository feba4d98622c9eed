package extract

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"golang.org/x/net/html"
)

// TestTreeEqualsParser: for ordinary pages, the tree is the one that html.Parse builds.
func TestTreeEqualsParser(t *testing.T) {
	pages := []string{
		"",
		"text",
		"<p>one<p>two",
		"<title>x</title><h1>y</h1>",
		"<!DOCTYPE html><html lang=zh><head><meta charset=utf-8><link rel=x></head><body class=y>z</body></html>",
		"<html><head></head>\n<body>\n<div>x</div></body></html>",
		"<ul><li>one<li>two<ul><li>three</ul><li>four</ul>",
		"<dl><dt>a<dd>b<dt>c<dd>d</dl>",
		"<table><tr><td>a<td>b<tr><th>c<th>d</table>",
		"<table><thead><tr><th>a</thead><tbody><tr><td>b</table>",
		"<table><caption>x<tr><td>a</table>",
		"<table><colgroup><col><tbody><tr><td>a</table>",
		"<table><td>a<table><tr><td>b</table>c</table>",
		"<table><tr><td><p>a</td><td>b</td></tr></table>",
		"<p>a<div>b</div>c",
		"<p>a<br>b<img src=x>c<input value=y>",
		"<b>a</b><i>b</i> c",
		"<div><span>a</div>b",
		"<div>a</span>b</div>",
		"<select><option>a<option selected>b</select>",
		"<form><label>a</label><input></form>",
		"<script>if (a < b) document.write('<p>')</script><p>x",
		"<style>p > a { }</style><noscript>x</noscript>",
		"<pre>a\n b</pre><textarea>c <b></textarea>",
		"<svg><path d=x /><g><rect/></g></svg><p>x",
		"<my-tag><other-tag>x</other-tag></my-tag>",
		"a &amp; b &lt; c&nbsp;d",
	}
	for _, name := range []string{"ebridge_table.html", "ebridge_list.html", "ebridge_heading.html", "tomcat_index.html"} {
		pages = append(pages, strings.Replace(string(page(t, name, "").Body), "<!-- node: comment -->", "", 1))
	}
	for _, text := range pages {
		want, err := html.Parse(strings.NewReader(text))
		must.Succeed(t, err)
		expect.Equal(t, fmt.Sprintf("tree of %q", text), rendered(t, want), rendered(t, parseHTML(text)))
	}
}

// rendered leaves out parts that the tree does not have: the doctype, and white space
// outside of the body.
func rendered(t *testing.T, document *html.Node) string {
	t.Helper()
	for n := range document.ChildNodes() {
		if n.Type == html.ElementNode {
			document = n
		}
	}
	var b bytes.Buffer
	must.Succeed(t, html.Render(&b, document))
	return strings.Join(strings.Fields(strings.NewReplacer("<", " <", ">", "> ").Replace(b.String())), " ")
}

func TestTreeIsBounded(t *testing.T) {
	deep := parseHTML(strings.Repeat("<div>", 10*maxDepth) + "x")
	depth, nodes := 0, 0
	var visit func(n *html.Node, level int)
	visit = func(n *html.Node, level int) {
		depth, nodes = max(depth, level), nodes+1
		for c := range n.ChildNodes() {
			visit(c, level+1)
		}
	}
	visit(deep, 0)
	if depth > maxDepth+1 {
		t.Errorf("tree is %d deep, want at most %d", depth, maxDepth+1)
	}
	nodes = 0
	visit(parseHTML(strings.Repeat("<p>x", maxNodes)), 0)
	if nodes > maxNodes+10 {
		t.Errorf("tree has %d nodes, want about %d at most", nodes, maxNodes)
	}
}
