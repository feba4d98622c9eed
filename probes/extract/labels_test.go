package extract

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

var (
	node    = newLabels("当前节点", "node")
	session = newLabels("会话", "session", "sessionid")
)

func newLabels(names ...string) probes.Extractor { return labels{names: newNames(names)} }

// page reads an answer from testdata/pages.
func page(tb testing.TB, name, contentType string) probes.Document {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "pages", name))
	must.Succeed(tb, err)
	return document(string(body), contentType)
}

func document(body, contentType string) probes.Document {
	doc := probes.Document{Header: http.Header{}, Body: []byte(body)}
	if contentType != "" {
		doc.Header.Set("Content-Type", contentType)
	}
	return doc
}

// extracted returns a value; "" if there is none.
func extracted(e probes.Extractor, doc probes.Document) string {
	v, ok := e.Extract(doc)
	if !ok {
		return ""
	}
	return v
}

func TestLabelsOnPages(t *testing.T) {
	for _, tt := range []struct{ page, contentType string }{
		{"ebridge_table.html", "text/html"},
		{"ebridge_table.html", "text/html; charset=UTF-8"},
		{"ebridge_ascii.html", "text/html"},
		{"ebridge_paragraphs.html", "text/html"},
		{"ebridge_list.html", "text/html"},
		{"ebridge_divs.html", "text/html"},
		{"ebridge_heading.html", "text/html"},
		{"ebridge_plain.txt", "text/plain; charset=utf-8"},
		{"ebridge_gbk_undeclared.html", "text/html;charset=GBK"},
		{"ebridge_gbk_undeclared.html", "text/html"},
		{"ebridge_gbk_undeclared.html", ""},
		{"ebridge_gbk_meta.html", "text/html"},
		{"ebridge_gbk_late_meta.html", "text/html"},
		{"status.json", "application/json"},
	} {
		t.Run(tt.page+" "+tt.contentType, func(t *testing.T) {
			doc := page(t, tt.page, tt.contentType)
			got := []string{extracted(node, doc), extracted(session, doc)}
			expect.Equal(t, "node and session", []string{"node1", "A1B2C3D4E5F60718"}, got)
		})
	}
}

func TestLabelsRecognise(t *testing.T) {
	for _, body := range []string{
		// Tables.
		"<table><tr><td>node</td><td>node1</td></tr></table>",
		"<table><tr><th>Node</th><td>node1</td></tr></table>",
		"<tr><td>node:</td><td>node1</td>",
		"<table><tr><td>\n <p>node</p>\n</td><td>\n <p><b>node1</b></p>\n</td></tr></table>",
		"<table><tr><td>id</td><td>1</td><td>NODE</td><td>node1</td></tr></table>",
		"<table><tr><td>node</td><td>node1 (10.0.0.1:8080)</td></tr></table>",
		"<table><tr><td>node</td><td>node1（主节点）</td></tr></table>",
		"<table><tr><th>session</th><th>node</th></tr><tr><td>5A</td><td>node1</td></tr></table>",
		"<table><tr><td>session</td><td>node</td></tr>\n<tr><td>5A</td><td>node1</td></tr></table>",
		"<table><tr><td>node</td><td>session</td></tr>\n<tr><td>node1</td><td>5A</td></tr></table>",
		"<table><tr><th>node</th></tr><tr><td>node1</td></tr></table>",
		"<table><tr><th>node</th><th>up</th></tr><tr><td>node1</td><td>3 days</td></tr></table>",
		"<table><tr><td>menu</td><td><p>node: node1</p><p>session: 5A</p></td></tr></table>",
		"<table><tr><td><table><tr><td>node</td><td>node1</td></tr></table></td></tr></table>",

		// Lists.
		"<dl><dt>node</dt><dd>node1</dd></dl>",
		"<dl><dt>session<dd>5A<dt>node<dd>node1</dl>",
		"<ul><li>session: 5A</li><li>node: node1</li></ul>",
		"<ul><li>session: 5A<li>node: node1</ul>",
		"<ul><li><b>node</b> node1</li></ul>",
		"<ul><li>node</li><li>node1</li></ul>",

		// Elements side by side.
		"<p>node：node1</p>",
		"<span>node</span><span>node1</span>",
		"<span>session</span><span>5A</span> <span>node</span><span>node1</span>",
		"<label>node</label>\n  <em>node1</em>",
		"<b>node:</b> node1",
		"<b>node</b>: node1",
		"<b>node:</b><br>node1",
		"<p>node: <code>node1</code> answered</p>",
		"<div>node</div><div>node1</div>",
		"session: 5A<br>node: node1<br>",
		"当前节点<small>（node）</small>：node1<br>",

		// Punctuation and space.
		"当前节点（node）：node1",
		"当前节点(node):node1",
		"当前节点 ( node ) : node1",
		"当前节点（Node）= node1",
		"node（当前节点）：node1",
		"当前节点：node1",
		"NODE＝node1",
		"node\u00a0:\u00a0node1",
		"\u3000node\u3000：\u3000node1\u3000",
		"&nbsp;node&nbsp;:&nbsp;node1<br>",
		"no\u200bde: node1\u202e",
		"\ufeffnode: node1",

		// Plain text.
		"node: node1",
		"node=node1",
		"session: 5A\r\nnode: node1\r\n",
		"session: 5A node: node1",
		"session=5A node=node1",
		"session=5A&node=node1",
		"session=5A, node=node1",
		"会话：5A；当前节点：node1。",
		"* node: node1",
		"1. node: node1",
		"answered (node: node1)",
		"node: 'node1'",
		"node: “node1”",
		"node: node1.",
		"node:\n  node1",
		"primary node count: 3\nnode: node1",
		"<pre>\nsession: 5A\nnode: node1\n</pre>",

		// JSON, whole or within a page.
		`{"node":"node1","sessionid":"x"}`,
		`{"NODE":"node1"}`,
		`{"code":0,"data":{"node":"node1"}}`,
		`[{"node":"node1"},{"node":"node2"}]`,
		`{"node":null,"data":{"node":"node1"}}`,
		`{"node":{"id":7},"list":[{"node":"node1"}]}`,
		`{"当前节点（node）":"node1"}`,
		`<pre>{"sessionid":"5A","node":"node1"}</pre>`,
		`{"sessionid":"5A","node":"node1","cut":"`,
	} {
		if got := extracted(node, document(body, "")); got != "node1" {
			t.Errorf("node in %q: want node1, got %q", body, got)
		}
	}
}

func TestLabelsRefuse(t *testing.T) {
	for _, body := range []string{
		"",
		"node",
		"nodes: 3",
		"nodeName: x1",
		"node name: x1",
		"primary node count: 2",
		"primary node: 2",
		"primary-node: 2",
		"subnode: 2",
		"node(s): 2",
		"node (count): 2",
		"当前节点数：2",
		"node:",
		"node: ,",
		"node: -",
		"node: null",
		"node: session: 5A",
		"node: 未知",
		"<p>node:</p><p>session:</p><p>5A</p>",

		// Sentences that mention a label.
		"如果“当前节点（node）”和“会话（sessionid）”未发生变化则表示Session是固定的",
		`if "node" and "session" do not change the session is sticky`,
		"<p>如果<b>当前节点（node）</b>和<b>会话（sessionid）</b>未发生变化</p>",
		"<p><b>当前节点（node）</b>和<b>会话（sessionid）</b>未发生变化则表示Session是固定的</p>",
		"<p><b>Node</b> and <b>session</b> must stay the same</p>",
		"<p><b>Node</b> is the server that answered</p>",
		"<p>当前节点（node）：处理本次请求的节点</p>",
		"<table><tr><td>node</td><td>the node that answered</td></tr></table>",
		"<table><tr><td>当前节点（node）</td><td>处理本次请求的节点</td></tr></table>",

		// Labels without a value.
		"<table><tr><td>node</td><td></td></tr><tr><td>session</td><td>5A</td></tr></table>",
		"<table><tr><th>node</th><th>session</th></tr></table>",
		"<table><tr><th>node</th><td></td></tr><tr><th>node2</th><td>5A</td></tr></table>",
		"<table><tr><th>a</th><th>node</th></tr><tr><td>x</td></tr></table>",
		"<ul><li>Node</li><li>Session</li></ul>",
		"<h2>Node</h2><p>Overview</p>",
		`{"node":""}`,
		`{"node":true}`,
		`{"node":{"id":"node1"}}`,
		`{"a":{"b":{"node":"node1"}}}`,

		// Invisible text.
		"<script>node: node1</script>",
		"<style>node: node1</style>",
		"<title>node: node1</title>",
		"<template><p>node: node1</p></template>",
		"<noscript>node: node1</noscript>",
		"<!-- node: node1 -->",
		`<p title="node: node1"></p>`,
	} {
		if got := extracted(node, document(body, "")); got != "" {
			t.Errorf("node in %q: want none, got %q", body, got)
		}
	}
}

func TestLabelsValues(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"node: 10.0.0.1:8080", "10.0.0.1:8080"},
		{"node: weaver_node-1/a+b==", "weaver_node-1/a+b=="},
		{"node: 节点1", "节点1"},
		{"node: app[1]", "app[1]"},
		{"node: app(1)", "app(1)"},
		{"node: node1, up", "node1"},
		{"node: node1|8080", "node1"},
		{"node: node1；正常", "node1"},
		{"node: node1<br>", "node1"},
		{"<p>node: no<b>de1</b></p>", "no"},
		{"node: \x1b[31mnode1\x07", "[31mnode1"},
		{"node: n1\xff", "n1ÿ"}, // neither UTF-8 nor GB18030
		{`{"node": 7}`, "7"},
		{`{"node": 1e3}`, "1000"},
		{`{"node": "rack 1"}`, "rack 1"},
		{"node: " + strings.Repeat("x", 300), strings.Repeat("x", probes.MaxValue)},
		{"node: 1" + strings.Repeat("节", 300), "1" + strings.Repeat("节", 85)},
	} {
		expect.Equal(t, fmt.Sprintf("node in %q", tt.text), tt.want, extracted(node, document(tt.text, "")))
	}
}

func TestLabelsNames(t *testing.T) {
	doc := document("Session  ID: 5A\na.b: 7\nab: 8", "")
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{[]string{"session id"}, "5A"},
		{[]string{"session"}, ""},
		{[]string{"a.b"}, "7"},
		{[]string{"ab", "a.b"}, "7"},
		{[]string{" ", "", "\xff"}, ""},
		{nil, ""},
	} {
		expect.Equal(t, fmt.Sprintf("labels %q", tt.names), tt.want, extracted(newLabels(tt.names...), doc))
	}
}

func TestLabelsIn(t *testing.T) {
	lying := page(t, "ebridge_gbk_meta.html", "text/html; charset=ISO-8859-1")
	if got := extracted(newLabels("当前节点（node）"), lying); got != "" {
		t.Errorf("as declared: want none, got %q", got)
	}
	e, err := LabelsIn("gbk", "当前节点", "node")
	must.Succeed(t, err)
	if got := extracted(e, lying); got != "node1" {
		t.Errorf("as GBK: want node1, got %q", got)
	}
	_, err = LabelsIn("klingon", "node")
	if want := `looking up charset "klingon": unknown`; err == nil || err.Error() != want {
		t.Errorf("want error %q, got %v", want, err)
	}
}

func BenchmarkLabels(b *testing.B) {
	table := page(b, "ebridge_table.html", "text/html; charset=utf-8")
	filler := strings.Repeat("<div class=\"panel\"><p>集群 panel <a href=\"/x\">help</a></p></div>\n", 150)
	table.Body = append([]byte(filler), table.Body...)
	b.SetBytes(int64(len(table.Body)))
	for b.Loop() {
		if _, ok := session.Extract(table); !ok {
			b.Fatal("no session")
		}
	}
}
