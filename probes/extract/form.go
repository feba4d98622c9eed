package extract

import (
	"cmp"
	"iter"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"stickwatch/probes"
)

// Forms reads the form on a login page as a browser would send it.
type Forms struct{ Charset string } // of the pages; "": as declared, or guessed

// maxFields bounds the fields of a form, and maxFieldBytes their names and values together.
// The largest known, view states of JSF and ASP.NET, are far smaller.
const (
	maxFields     = 200
	maxFieldBytes = 256 << 10
)

// ReadForm implements probes.FormReader.
func (f Forms) ReadForm(doc probes.Document, want probes.FormFields) (probes.Form, error) {
	root := parseHTML(decode(doc, f.Charset))
	base := baseOf(root)
	for n := range outside(atom.Form, root) {
		if n.DataAtom != atom.Form {
			continue
		}
		form, fault := readForm(n)
		form.Base = base
		if want.Accept != nil && !want.Accept(form.Form) {
			continue
		}
		if userField, passwordField, ok := form.match(want); ok {
			form.UserField, form.PasswordField = userField, passwordField
			if fault = cmp.Or(fault, sendable(n)); fault != "" {
				return probes.Form{}, fault
			}
			return form.Form, nil
		}
	}
	return probes.Form{}, probes.FormMissing
}

// baseOf returns the address of the first base element that has one; "": none.
func baseOf(root *html.Node) string {
	for n := range root.Descendants() {
		if address := attribute(n, "href"); n.DataAtom == atom.Base && address != "" {
			return address
		}
	}
	return ""
}

// outside returns the nodes below n that are in no element of a kind. Browsers have no form in a
// form and no list in a list, and reading each of many would take time by their square.
func outside(kind atom.Atom, n *html.Node) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) {
		var visit func(*html.Node) bool
		visit = func(n *html.Node) bool {
			for child := range n.ChildNodes() {
				if !yield(child) || child.DataAtom != kind && !visit(child) {
					return false
				}
			}
			return true
		}
		visit(n)
	}
}

// sendable returns why a form cannot be sent with a password in it; "": it can.
func sendable(form *html.Node) probes.FormFault {
	encoding := attribute(form, "enctype")
	switch {
	case !strings.EqualFold(attribute(form, "method"), "post"):
		return probes.FormByGet
	case encoding != "" && !strings.EqualFold(encoding, "application/x-www-form-urlencoded"):
		return probes.FormEncoded
	default:
		return ""
	}
}

// A foundForm is a form with the names of its visible inputs in order.
type foundForm struct {
	probes.Form
	inputs []input
}

// An input is a field that a person fills in.
type input struct {
	name     string
	password bool
}

// match returns the fields for user and password; ok is false if the form lacks one that
// is wanted. Unless they are named, the password goes into the first such field, and the
// user into the last text field before it, or into the first one if there is no password.
func (f foundForm) match(want probes.FormFields) (user, password string, ok bool) {
	has := func(name string) bool {
		for _, i := range f.inputs {
			if i.name == name {
				return true
			}
		}
		return false
	}
	user, password = want.UserField, want.PasswordField
	if user != "" && !has(user) || password != "" && !has(password) {
		return "", "", false
	}
	passed := false // the field of the password
	for _, i := range f.inputs {
		switch {
		case i.password:
			if want.Password && (password == "" || password == i.name) {
				password, passed = i.name, true
			}
		case want.UserField == "" && want.User && (want.Password && !passed || user == ""):
			user = i.name
		}
	}
	if !want.User {
		user = ""
	}
	return user, password, (user != "" || !want.User) && (password != "" || !want.Password)
}

// readForm returns a form with the fields that a browser sends unchanged, and the default
// button. With a fault, it returns the fields up to then.
func readForm(form *html.Node) (foundForm, probes.FormFault) {
	out := foundForm{Form: probes.Form{Action: attribute(form, "action")}}
	size, pressed := 0, false
	for node := range form.Descendants() {
		name := attribute(node, "name")
		if node.Type != html.ElementNode || name == "" || hasAttribute(node, "disabled") {
			continue
		}
		value, sent := attribute(node, "value"), false
		switch kind := inputKind(node); kind {
		case "text", "email", "tel", "password":
			out.inputs = append(out.inputs, input{name, kind == "password"})
			sent = kind != "password"
		case "checkbox", "radio":
			sent = hasAttribute(node, "checked")
			if !hasAttribute(node, "value") {
				value = "on"
			}
		case "submit":
			sent, pressed = !pressed, true
		case "hidden":
			sent = true
		case "select":
			value, sent = selected(node)
		}
		if !sent {
			continue
		}
		size += len(name) + len(value)
		switch {
		case len(out.Fields) == maxFields:
			return out, probes.FormTooLarge
		case size > maxFieldBytes:
			return out, probes.FormTooLarge
		}
		out.Fields = append(out.Fields, probes.FormField{Name: name, Value: value})
	}
	return out, ""
}

// inputKind returns the kind of a form's element; "" for those that are not sent.
func inputKind(n *html.Node) string {
	kind := strings.ToLower(attribute(n, "type"))
	switch n.DataAtom {
	case atom.Select:
		return "select"
	case atom.Button:
		if kind == "" || kind == "submit" {
			return "submit"
		}
	case atom.Input:
		switch kind {
		case "email", "tel", "password", "checkbox", "radio", "submit", "hidden":
			return kind
		case "button", "reset", "image", "file":
		default:
			return "text" // what browsers take unknown types for
		}
	}
	return ""
}

// selected returns the value of the selected option, which is the first one by default.
func selected(list *html.Node) (value string, ok bool) {
	for n := range outside(atom.Select, list) {
		if n.DataAtom != atom.Option || ok && !hasAttribute(n, "selected") {
			continue
		}
		if value, ok = attribute(n, "value"), true; !hasAttribute(n, "value") && n.FirstChild != nil {
			value = strings.TrimSpace(n.FirstChild.Data)
		}
		if hasAttribute(n, "selected") {
			return value, true
		}
	}
	return value, ok
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
