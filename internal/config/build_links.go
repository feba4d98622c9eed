package config

import (
	"regexp"
	"slices"
	"strings"
)

// A Link leads from the page to another tool. Its URL may have placeholders.
type Link struct{ Name, URL string }

// linkPlaceholders are the names of placeholders in the URL of a Link.
var linkPlaceholders = []string{"cluster", "node", "code", "incident", "from", "to"}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// links validates the links. With anything in place of its placeholders, a link must be an
// http or https address with the same host.
func (b *builder) links(ws []wireLink) []Link {
	var out []Link
	names := b.unique("link name")
	for i, w := range ws {
		at := keyPath("links").item(i)
		names(at.key("name"), w.Name)
		for _, one := range placeholder.FindAllString(w.URL, -1) {
			if name := strings.Trim(one, "{}"); !slices.Contains(linkPlaceholders, name) {
				b.problem(at.key("url"), "%s has the placeholder %s: expected one of {%s}", b.valueText(at.key("url"), w.URL), one, strings.Join(linkPlaceholders, "}, {"))
			}
		}
		before, _, _ := strings.Cut(w.URL, "{")
		address, _, _ := strings.Cut(placeholder.ReplaceAllString(w.URL, "0"), "#")
		u := b.public(at.key("url"), address)
		if u != nil && !strings.HasPrefix(strings.ToLower(before), strings.ToLower(u.Scheme+"://"+u.Host)) {
			b.problem(at.key("url"), "%s has a placeholder in its host: placeholders are for the path, the query and the fragment", b.valueText(at.key("url"), w.URL))
		}
		out = append(out, Link(w))
	}
	return out
}
