package extract

import (
	"bytes"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"stickwatch/probes"
)

// prologue bounds the part of a page in which a charset may be declared, in bytes. The
// standard says 1024, but many pages start with a licence or a script.
const prologue = 32 << 10

// meta matches a charset declared within a page, in either of its two forms.
var meta = regexp.MustCompile(`(?i)<meta\s[^>]{0,256}?charset\s*=\s*["']?\s*([\w.:-]{1,40})`)

var byteOrderMark = []byte("\ufeff")

func checkCharset(name string) error {
	if name == "" {
		return nil
	}
	if e, _ := charset.Lookup(name); e == nil {
		return fmt.Errorf("looking up charset %q: unknown", name)
	}
	return nil
}

// decode returns the text of a page. name is its charset, whatever it declares; "": as declared.
func decode(doc probes.Document, name string) string {
	return probes.Derived(doc, textIn(name), func() string { return decodeBody(doc, name) })
}

// A textIn is the key of the text of a page in a charset.
type textIn string

// decodeBody returns the body as valid UTF-8: from the given charset, else from a byte order
// mark, else from the declared charset, else from one that fits the bytes. Package charset would treat a body
// without a declaration as windows-1252, although it may be GBK.
func decodeBody(doc probes.Document, name string) string {
	body := doc.Body
	if name == "" && bytes.HasPrefix(body, byteOrderMark) {
		name = "utf-8"
	}
	for _, name := range []string{name, fromHeader(doc), fromMeta(body)} {
		if text, ok := decodeFrom(body, name); ok {
			return strings.ToValidUTF8(strings.TrimPrefix(text, "\ufeff"), string(utf8.RuneError))
		}
	}
	return guess(body)
}

func fromHeader(doc probes.Document) string {
	_, params, err := mime.ParseMediaType(doc.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return params["charset"]
}

func fromMeta(body []byte) string {
	m := meta.FindSubmatch(body[:min(len(body), prologue)])
	if m == nil {
		return ""
	}
	name := strings.ToLower(string(m[1]))
	if strings.HasPrefix(name, "utf-16") {
		return "utf-8" // a declaration that can be read at all is not in UTF-16
	}
	return name
}

func decodeFrom(body []byte, name string) (string, bool) {
	e, _ := charset.Lookup(name)
	if e == nil {
		return "", false
	}
	text, err := e.NewDecoder().Bytes(body)
	return string(text), err == nil
}

// guess decodes a body without a declaration: UTF-8 if it is valid, else GB18030, which
// contains GBK, else windows-1252, which accepts everything. A truncated body may end in the
// middle of a character, so invalid characters at its end are no evidence.
func guess(body []byte) string {
	const bad = string(utf8.RuneError)
	tail := ""
	if len(body) >= probes.MaxBody {
		tail = bad
	}
	if utf8.Valid(bytes.TrimRight(body, tail)) {
		return strings.ToValidUTF8(string(body), bad)
	}
	if text, ok := decodeFrom(body, "gb18030"); ok && !strings.Contains(strings.TrimRight(text, tail), bad) {
		return text
	}
	text, _ := decodeFrom(body, "windows-1252")
	return text
}
