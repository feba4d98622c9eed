package extract

import (
	"html"
	"regexp"
	"strings"

	"stickwatch/probes"
)

// titleWithin bounds the part of a page that is searched for its title, in bytes.
const titleWithin = 8 << 10

var titleElement = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)

// Title returns an extractor of the title of an HTML page.
func Title() probes.Extractor { return title{} }

type title struct{}

func (title) Extract(doc probes.Document) (string, bool) {
	text := decode(doc, "")
	found := titleElement.FindStringSubmatch(text[:min(len(text), titleWithin)])
	if found == nil {
		return "", false
	}
	return html.UnescapeString(strings.TrimSpace(found[1])), true
}
