package extract

import (
	"os"
	"path/filepath"
	"testing"
)

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
				t.Errorf("want an error alone that says something, got %v, %q", e, err)
			}
			return
		}
		doc := document(string(body), "text/html")
		doc.Cookies = map[string]string{"c": string(body)}
		checkValue(t, e, doc)
	})
}

// pages are the bodies in testdata/pages.
func pages(tb testing.TB) [][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "pages", "*"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("looking for pages: %v, %d found", err, len(names))
	}
	var bodies [][]byte
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}
