package extract

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func mustNew(tb testing.TB, s Spec) probes.Extractor {
	tb.Helper()
	e, err := New(s)
	must.Succeed(tb, err)
	return e
}

func TestNewFindsInPages(t *testing.T) {
	const html, json = "text/html; charset=utf-8", "application/json"
	for _, tt := range []struct {
		page, contentType string
		spec              Spec
		want              string
	}{
		{"tomcat_index.html", html, Spec{Regex: `key1=(\S+)`}, "42"},
		{"tomcat_index.html", html, Spec{Regex: `key2=(\S+)`}, ""},
		{"tomcat_index.html", html, Spec{Regex: `key\d=\d+`}, "key1=42"},
		{"tomcat_index.html", html, Spec{Regex: `Host: (\w+)|Server: (\w+)`}, "tomcat2"},
		{"tomcat_index.html", html, Spec{Regex: `value="(\w+)"`}, "unsaved"},
		{"tomcat_index.html", html, Spec{Regex: `Session ID: (\S+)<`, Before: "."}, "0A1B2C3D"},
		{"tomcat_index.html", html, Spec{CSS: "title"}, "Session test"},
		{"tomcat_index.html", html, Spec{CSS: "input[name=key1]", Attr: "VALUE"}, "unsaved"},
		{"tomcat_index.html", html, Spec{CSS: "input", Attr: "title"}, ""},
		{"tomcat_index.html", html, Spec{CSS: "h1"}, ""},
		{"tomcat_index.html", html, Spec{CSS: "pre", After: "key1=", Before: "key2"}, "42"},
		{"tomcat_index.html", html, Spec{XPath: "//input/@value"}, "unsaved"},
		{"tomcat_index.html", html, Spec{XPath: "count(//input)"}, "1"},
		{"tomcat_index.html", html, Spec{XPath: "string(//h1)"}, ""},
		{"tomcat_index.html", html, Spec{XPath: "boolean(//pre)"}, "true"},
		{"ebridge_table.html", html, Spec{CSS: "tr:nth-child(2) > td:last-child"}, "A1B2C3D4E5F60718"},
		{"ebridge_table.html", html, Spec{XPath: "/html/body/table/tbody/tr[1]/td[2]"}, "node1"},
		{"ebridge_table.html", html, Spec{XPath: `//td[contains(., "会话")]/following-sibling::td`}, "A1B2C3D4E5F60718"},
		{"ebridge_gbk_undeclared.html", "text/html", Spec{CSS: "h3", Charset: "gb2312"}, "集群环境测试"},
		{"ebridge_gbk_undeclared.html", html, Spec{Regex: `服务器时间</td><td>([^<]+)`, Charset: "GBK"}, "2024-05-06 07:08:09"},
		{"status.json", json, Spec{JSONPath: "$.state"}, "running"},
		{"status.json", json, Spec{JSONPath: "main.pid"}, "4711"},
		{"status.json", json, Spec{JSONPath: "$.main.heap"}, "1500"},
		{"status.json", json, Spec{JSONPath: "$.main.load"}, "0.25"},
		{"status.json", json, Spec{JSONPath: "$.serial"}, "18446744073709551615"},
		{"status.json", json, Spec{JSONPath: "$.servers[?(@.id == 'b')].pid"}, "2"},
		{"status.json", json, Spec{JSONPath: "$.servers[?(@.pid > 1)].id"}, "b"},
		{"status.json", json, Spec{JSONPath: "$.main"}, ""},
		{"status.json", json, Spec{JSONPath: "$.nothing"}, ""},
		{"status.json", json, Spec{JSONPath: "$.absent"}, ""},
		{"tomcat_index.html", html, Spec{JSONPath: "$.state"}, ""},
	} {
		got := extracted(mustNew(t, tt.spec), page(t, tt.page, tt.contentType))
		expect.Equal(t, fmt.Sprintf("%s, %+v", tt.page, tt.spec), tt.want, got)
	}
}

func TestNewFindsAroundTheBody(t *testing.T) {
	doc := probes.Document{
		Header:  http.Header{"X-Node": {"node1", "node2"}, "X-Empty": {""}, "X-Raw": {"n\xff1\x1b[2J"}},
		Cookies: map[string]string{"JSESSIONID": "AB.C.tomcat2", "plain": "ABC", "dot": "ABC."},
	}
	for _, tt := range []struct {
		spec Spec
		want string
	}{
		{Spec{Cookie: "JSESSIONID"}, "AB.C.tomcat2"},
		{Spec{Cookie: "JSESSIONID", After: "."}, "C.tomcat2"},
		{Spec{Cookie: "JSESSIONID", Before: "."}, "AB"},
		{Spec{Cookie: "JSESSIONID", After: ".", Before: "."}, "C"},
		{Spec{Cookie: "plain", After: "."}, ""},
		{Spec{Cookie: "plain", Before: "."}, "ABC"},
		{Spec{Cookie: "dot", After: "."}, ""},
		{Spec{Cookie: "jsessionid"}, ""},
		{Spec{Header: "x-node"}, "node1"},
		{Spec{Header: "X-Empty"}, ""},
		{Spec{Header: "X-Absent"}, ""},
		{Spec{Header: "X-Raw"}, "n\ufffd1[2J"},
	} {
		expect.Equal(t, fmt.Sprintf("%+v", tt.spec), tt.want, extracted(mustNew(t, tt.spec), doc))
	}
	if got := extracted(mustNew(t, Spec{Header: "X-Node"}), probes.Document{}); got != "" {
		t.Errorf("header of no answer: want none, got %q", got)
	}
}

func TestNewErrors(t *testing.T) {
	for _, tt := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "choosing a source: none of cookie, header, regex, css, xpath, jsonpath is set"},
		{Spec{After: "."}, "choosing a source: none of cookie, header, regex, css, xpath, jsonpath is set"},
		{Spec{Cookie: "a", Regex: "b"}, "choosing a source: only one may be set, got cookie and regex"},
		{Spec{Cookie: "a", Attr: "href"}, `choosing attribute "href": it goes with css only, got cookie`},
		{Spec{Regex: "a", Charset: "klingon"}, `looking up charset "klingon": unknown`},
		{Spec{Regex: "("}, "parsing regex \"(\": error parsing regexp: missing closing ): `(`"},
		{Spec{CSS: "a["}, `parsing css "a[": `},
		{Spec{XPath: "//a["}, `parsing xpath "//a[": `},
		{Spec{XPath: "contains(1, 2)"}, `evaluating xpath "contains(1, 2)": contains() function argument type must be string`},
		{Spec{JSONPath: "$.["}, `parsing jsonpath "$.[": `},
	} {
		_, err := New(tt.spec)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: want error %q, got %v", tt.spec, tt.want, err)
		}
	}
}

// TestJSONPathKeepsTheOrderOfThePage: a value must be the same each time, or a process
// seems to restart.
func TestJSONPathKeepsTheOrderOfThePage(t *testing.T) {
	doc := document(`{"z": {"pid": 1}, "y": {"pid": 2}, "x": {"pid": 3}, "w": {"pid": 4}}`, "")
	for path, want := range map[string]string{"$.*.pid": "1", "$[*].pid": "1"} {
		e := mustNew(t, Spec{JSONPath: path})
		for range 20 {
			if got := extracted(e, doc); got != want {
				t.Fatalf("%s: want %s, got %s", path, want, got)
			}
		}
	}
	descent := mustNew(t, Spec{JSONPath: "$..pid"})
	want := extracted(descent, doc)
	for range 20 {
		if got := extracted(descent, doc); got == "" || got != want {
			t.Fatalf("$..pid: want %q as before, got %q", want, got)
		}
	}
}

func TestCombinations(t *testing.T) {
	doc := page(t, "status.json", "application/json")
	pid, since := mustNew(t, Spec{JSONPath: "$.main.pid"}), mustNew(t, Spec{JSONPath: "$.main.up_since"})
	absent := mustNew(t, Spec{JSONPath: "$.absent"})
	long := mustNew(t, Spec{Regex: `(?s).{200}`})
	for name, tt := range map[string]struct {
		e    probes.Extractor
		want string
	}{
		"first":              {First(absent, pid, since), "4711"},
		"first of none":      {First(absent, absent), ""},
		"first of nothing":   {First(), ""},
		"join":               {Join("@", pid, since), "4711@2024-05-06T07:08:09Z"},
		"join of some":       {Join("@", pid, absent), ""},
		"join of nothing":    {Join("@"), ""},
		"join of a fallback": {Join("/", First(absent, pid), pid), "4711/4711"},
	} {
		expect.Equal(t, name, tt.want, extracted(tt.e, doc))
	}
	if got := extracted(Join("", long, long), doc); len(got) > probes.MaxValue {
		t.Errorf("joined value of %d bytes, want at most %d", len(got), probes.MaxValue)
	}
}

// TestExtractorsMayBeShared: rounds share extractors.
func TestExtractorsMayBeShared(t *testing.T) {
	html, json := page(t, "ebridge_table.html", "text/html"), page(t, "status.json", "")
	shared := First(
		mustNew(t, Spec{XPath: `string(//td[contains(., "node")]/following-sibling::td)`, After: "nothing"}),
		mustNew(t, Spec{CSS: "tr > td + td", After: "nothing"}),
		mustNew(t, Spec{JSONPath: "$.servers[?(@.pid > 1)].id", After: "nothing"}),
		node,
	)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if a, b := extracted(shared, html), extracted(shared, json); a != "node1" || b != "node1" {
					t.Errorf("want node1 twice, got %q and %q", a, b)
				}
			}
		})
	}
	wg.Wait()
}

func TestDecode(t *testing.T) {
	const gbk = "\xbd\xda\xb5\xe3" // 节点
	meta := `<meta charset="gbk">`
	full := strings.Repeat("x", probes.MaxBody-3)
	for name, tt := range map[string]struct {
		body, contentType, charset string
		want                       string
	}{
		"nothing":                         {"", "", "", ""},
		"undeclared UTF-8":                {"节点", "", "", "节点"},
		"undeclared GBK":                  {gbk, "", "", "节点"},
		"undeclared Latin-1":              {"caf\xe9", "", "", "café"},
		"declared by the header":          {gbk, `text/html; charset="gb2312"`, "", "节点"},
		"the header before meta":          {meta + "节点", "text/html; charset=utf-8", "", meta + "节点"},
		"an unknown header, then meta":    {meta + gbk, "text/html; charset=klingon", "", meta + "节点"},
		"a broken header, then meta":      {meta + gbk, "text/html; charset", "", meta + "节点"},
		"meta with http-equiv":            {`<META http-equiv=Content-Type content='text/html; charset=GBK'>` + gbk, "", "", `<META http-equiv=Content-Type content='text/html; charset=GBK'>节点`},
		"meta of UTF-16 that can be read": {`<meta charset=utf-16>节点`, "", "", `<meta charset=utf-16>节点`},
		"the override before all":         {gbk, "text/html; charset=utf-8", "gbk", "节点"},
		"a byte order mark":               {"\ufeff节点", "text/html; charset=gbk", "", "节点"},
		"broken UTF-8, declared":          {"节\xff点", "text/html; charset=utf-8", "", "节\ufffd点"},
		"Big5":                            {"\xb8\x60\xc2\x49", "text/html; charset=big5", "", "節點"},
		"cut in a character of UTF-8":     {full[1:] + "é" + "节"[:2], "", "", full[1:] + "é\ufffd"},
		"cut in a character of GBK":       {full + gbk[:3], "", "", full + "节\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(document(tt.body, tt.contentType), tt.charset)
			expect.Equal(t, "text", tt.want, got)
		})
	}
}

func TestTitle(t *testing.T) {
	chinese, err := simplifiedchinese.GBK.NewEncoder().String("<html><head><meta charset=gbk><title>维护中</title>")
	must.Succeed(t, err)
	for name, tc := range map[string]struct{ body, want string }{
		"plain":           {"<html><head><title>Shop</title></head>", "Shop"},
		"several lines":   {"<TITLE lang=en>\n Fish &amp; Chips\n</TITLE>", "Fish & Chips"},
		"another charset": {chinese, "维护中"},
		"none":            {"back at noon", ""},
		"never closed":    {"<title>Shop", ""},
		"too late":        {strings.Repeat(" ", titleWithin) + "<title>Shop</title>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := Title().Extract(probes.Document{Header: http.Header{}, Body: []byte(tc.body)}); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
