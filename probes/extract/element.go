package extract

import (
	"slices"

	"golang.org/x/net/html/atom"
)

// What the elements of HTML mean to those who read a page: the tree, for
// selectors, and the rows, for labels.
var (
	void = set(atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input,
		atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr)

	// blocks start on a line of their own and end a paragraph.
	blocks = set(atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Center, atom.Details,
		atom.Dialog, atom.Dir, atom.Div, atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure,
		atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header,
		atom.Hgroup, atom.Hr, atom.Li, atom.Listing, atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.P,
		atom.Plaintext, atom.Pre, atom.Search, atom.Section, atom.Summary, atom.Table, atom.Ul, atom.Xmp)

	// parts of tables; only these close each other.
	parts = set(atom.Table, atom.Caption, atom.Colgroup, atom.Tbody, atom.Thead, atom.Tfoot,
		atom.Tr, atom.Td, atom.Th)

	// metadata belongs to the head of a page.
	metadata = set(atom.Base, atom.Link, atom.Meta, atom.Noscript, atom.Script, atom.Style,
		atom.Template, atom.Title)

	// unseen is what no reader of a page sees.
	unseen = set(atom.Iframe, atom.Noembed, atom.Noframes, atom.Noscript, atom.Script, atom.Style,
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

// An ending tells which open elements the start of another one ends, although
// their end tags are missing, and which it does not reach across.
type ending struct{ ends, within atoms }

// endings by the element that starts.
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

// implied are the elements that HTML puts between a table and one of its parts
// where the page leaves them out, the outermost first.
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
