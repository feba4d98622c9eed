package extract

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of a tree. Selectors may compare every node with all later ones, and visit the
// ancestors of each.
const (
	maxNodes = 10_000 // elements and texts; pages for people have a few hundred
	maxDepth = 256
)

// A tree builds the nodes of a page, for CSS and XPath.
//
// It does not use html.Parse, which repairs a page as browsers do, by copying elements
// and joining texts. That is quadratic: 256 KiB of `<html a1><html a2>...` take 14 s
// and 28 GiB, and a target must not be able to stop stickwatch. The tree therefore has
// one node for each token. For a page with ordinary omissions (end tags, html, head,
// body, tbody) it equals the tree in a browser's inspector. Broken markup stays where
// it is.
type tree struct {
	document *html.Node
	html     *html.Node
	body     *html.Node   // nil while the head is read
	open     []*html.Node // from html inwards
	nodes    int
}

// parseHTML returns the document node of a page.
func parseHTML(text string) *html.Node {
	t := &tree{document: &html.Node{Type: html.DocumentNode}}
	t.html = element(atom.Html.String(), nil)
	t.document.AppendChild(t.html)
	t.open = []*html.Node{t.html}
	t.push(element(atom.Head.String(), nil))
	z := html.NewTokenizer(strings.NewReader(text))
	for t.nodes < maxNodes {
		switch z.Next() {
		case html.ErrorToken:
			t.enterBody()
			return t.document
		case html.TextToken:
			t.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			t.start(z.Token())
		case html.EndTagToken:
			name, _ := z.TagName()
			t.end(string(name))
		}
	}
	return t.document
}

func element(name string, attr []html.Attribute) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name)), Attr: attr}
}

func (t *tree) top() *html.Node { return t.open[len(t.open)-1] }

func (t *tree) add(n *html.Node) {
	t.top().AppendChild(n)
	t.nodes++
}

// push adds an element and opens it. An element that would be too deep is not opened,
// so its content becomes its siblings.
func (t *tree) push(n *html.Node) {
	t.add(n)
	if len(t.open) < maxDepth {
		t.open = append(t.open, n)
	}
}

func (t *tree) text(s string) {
	if t.top().DataAtom == atom.Head || t.top() == t.html {
		if strings.TrimSpace(s) == "" {
			return
		}
		t.enterBody()
	}
	t.add(&html.Node{Type: html.TextNode, Data: s})
}

// enterBody ends the head.
func (t *tree) enterBody() {
	if t.body != nil {
		return
	}
	t.open = t.open[:1]
	t.body = element(atom.Body.String(), nil)
	t.push(t.body)
}

func (t *tree) start(token html.Token) {
	switch a := token.DataAtom; {
	case a == atom.Html:
		setAttributes(t.html, token.Attr)
		return
	case a == atom.Head:
		return
	case a == atom.Body:
		t.enterBody()
		setAttributes(t.body, token.Attr)
		return
	case !metadata[a]:
		t.enterBody()
	}
	t.endImplied(token.DataAtom)
	for _, a := range implied(t.top().DataAtom, token.DataAtom) {
		t.push(element(a.String(), nil))
	}
	n := element(token.Data, token.Attr)
	if void[n.DataAtom] || token.Type == html.SelfClosingTagToken && t.foreign() {
		t.add(n)
		return
	}
	t.push(n)
}

// setAttributes sets the attributes of a tag on an element that exists already.
func setAttributes(n *html.Node, attr []html.Attribute) {
	if len(n.Attr) == 0 {
		n.Attr = attr
	}
}

// foreign reports whether the current element is within SVG or MathML, where <path/> is
// complete.
func (t *tree) foreign() bool {
	return slices.ContainsFunc(t.open, func(n *html.Node) bool {
		return n.DataAtom == atom.Svg || n.DataAtom == atom.Math
	})
}

func (t *tree) endImplied(a atom.Atom) {
	e, ok := endings[a]
	if !ok {
		return
	}
	for i := len(t.open) - 1; i > 1; i-- {
		switch at := t.open[i].DataAtom; {
		case e.ends[at]:
			t.open = t.open[:i]
			return
		case e.within[at]:
			return
		}
	}
}

// end closes the innermost element of a name, with all elements in it. It does not
// close one outside of the current table cell or, for inline elements such as span, of
// the current block.
func (t *tree) end(name string) {
	a := atom.Lookup([]byte(name))
	if a == atom.Head {
		t.enterBody()
		return
	}
	for i := len(t.open) - 1; i > 1; i-- {
		n := t.open[i]
		if n.Data == name {
			t.open = t.open[:i]
			return
		}
		if barrier(n.DataAtom, a) {
			return
		}
	}
}

// barrier reports whether an open element prevents an end tag from closing elements
// around it.
func barrier(open, end atom.Atom) bool {
	switch {
	case parts[end]:
		return open == atom.Table
	case blocks[end]:
		return parts[open]
	default:
		return parts[open] || blocks[open]
	}
}

// The groups of HTML elements, for the tree and for the rows.
var (
	void = set(atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input,
		atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr)

	// blocks start on a line of their own and end a paragraph.
	blocks = set(atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Center, atom.Details,
		atom.Dialog, atom.Dir, atom.Div, atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure,
		atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header,
		atom.Hgroup, atom.Hr, atom.Li, atom.Listing, atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.P,
		atom.Plaintext, atom.Pre, atom.Search, atom.Section, atom.Summary, atom.Table, atom.Ul, atom.Xmp)

	// parts are the parts of tables; only these close each other.
	parts = set(atom.Table, atom.Caption, atom.Colgroup, atom.Tbody, atom.Thead, atom.Tfoot,
		atom.Tr, atom.Td, atom.Th)

	// metadata belongs to the head of a page.
	metadata = set(atom.Base, atom.Link, atom.Meta, atom.Noscript, atom.Script, atom.Style,
		atom.Template, atom.Title)

	// invisible elements are not shown by browsers.
	invisible = set(atom.Iframe, atom.Noembed, atom.Noframes, atom.Noscript, atom.Script, atom.Style,
		atom.Template, atom.Title)
)

type atoms map[atom.Atom]bool

func set(as ...atom.Atom) atoms {
	m := make(atoms, len(as))
	for _, a := range as {
		m[a] = true
	}
	return m
}

// An ending is the open elements that the start of another one ends, although their end
// tags are missing, and the elements beyond which it has no effect.
type ending struct{ ends, within atoms }

// endings are the endings by the element that starts.
var endings = func() map[atom.Atom]ending {
	m := make(map[atom.Atom]ending)
	add := func(within, ends atoms, starts ...atom.Atom) {
		for _, a := range starts {
			m[a] = ending{ends, within}
		}
	}
	cells := set(atom.Td, atom.Th, atom.Caption, atom.Table, atom.Button, atom.Object, atom.Template)
	for a := range blocks {
		add(cells, set(atom.P), a)
	}
	items := set(atom.Dt, atom.Dd)
	add(set(atom.Dl, atom.Td, atom.Th), items, atom.Dt, atom.Dd)
	add(set(atom.Ul, atom.Ol, atom.Menu, atom.Td, atom.Th), set(atom.Li), atom.Li)
	add(set(atom.Select, atom.Datalist), set(atom.Option), atom.Option)
	add(set(atom.Select), set(atom.Option, atom.Optgroup), atom.Optgroup)
	table := set(atom.Table)
	add(table, set(atom.Td, atom.Th, atom.Caption), atom.Td, atom.Th)
	add(table, set(atom.Tr, atom.Caption, atom.Colgroup), atom.Tr)
	add(table, set(atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption, atom.Colgroup), atom.Tbody, atom.Thead, atom.Tfoot)
	return m
}()

// implied returns the elements that HTML adds between a table and one of its parts if
// the page omits them, the outermost first.
func implied(parent, a atom.Atom) []atom.Atom {
	chain := []atom.Atom{atom.Table, atom.Tbody, atom.Tr}
	if parent == atom.Thead || parent == atom.Tfoot {
		parent = atom.Tbody
	}
	from := slices.Index(chain, parent)
	switch {
	case from < 0:
		return nil
	case a == atom.Td || a == atom.Th:
		return chain[from+1:]
	case a == atom.Tr && parent == atom.Table:
		return chain[1:2]
	default:
		return nil
	}
}
