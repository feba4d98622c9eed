package probes

import (
	"bytes"
	"html"
	"regexp"

	"golang.org/x/net/html/charset"
)

// titleWithin is how much of a page is searched for its title, in bytes.
const titleWithin = 8 << 10

var titleElement = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)

// titleOf returns the title of an HTML page, cleaned; "": it has none.
func titleOf(doc Document) string {
	head := doc.Body[:min(len(doc.Body), titleWithin)]
	found := titleElement.FindSubmatch(head)
	if found == nil {
		return ""
	}
	text := bytes.TrimSpace(found[1])
	encoding, _, _ := charset.DetermineEncoding(head, doc.Header.Get("Content-Type"))
	if decoded, err := encoding.NewDecoder().Bytes(text); err == nil {
		text = decoded
	}
	return Clean(html.UnescapeString(string(text)), MaxValue)
}
