package config

import (
	"cmp"
	"maps"
	"net/url"
	"slices"

	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// defaultLoginsPerHour suffices for a canary of each of ten nodes that is replaced every hour,
// with a reserve for lost sessions.
const defaultLoginsPerHour = 60

// login builds how clients log in; nil for nil.
func (b *builder) login(w *wireLogin, charset string, at keyPath) *probes.Login {
	if w == nil {
		return nil
	}
	out := &probes.Login{
		LoggedIn: b.extractor(w.LoggedIn, extractorContext{charset: charset, use: extract.Presence}, at.key("logged_in")),
		Logout:   b.path(at.key("logout"), w.Logout), Forms: extract.Forms{Charset: charset}, PerHour: defaultLoginsPerHour,
	}
	if w.PerHour != nil {
		if out.PerHour = *w.PerHour; out.PerHour < 2 || out.PerHour > 1000 {
			b.problem(at.key("per_hour"), "expected 2 to 1000, got %d", out.PerHour)
		}
	}
	alone := wireLoginStep{Path: w.Path, Form: w.Form, JSON: w.JSON}
	switch {
	case len(w.Steps) == 0:
		out.Steps = []probes.LoginStep{b.loginStep(alone, charset, true, at)}
	case alone != (wireLoginStep{}):
		b.problem(at.key("steps"), "cannot be used with path, form and json")
	}
	for i, step := range w.Steps {
		out.Steps = append(out.Steps, b.loginStep(step, charset, i == 0, at.key("steps").item(i)))
	}
	if !slices.ContainsFunc(out.Steps, func(s probes.LoginStep) bool { return s.Password != "" }) {
		b.problem(at, "expected a password or password_file")
	}
	return out
}

// loginStep builds one step. The first one needs a page of its own.
func (b *builder) loginStep(w wireLoginStep, charset string, first bool, at keyPath) probes.LoginStep {
	out := probes.LoginStep{Page: b.path(at.key("path"), w.Path)}
	key, form := "form", w.Form
	switch {
	case w.Form != nil && w.JSON != nil:
		b.problem(at, "expected form or json, got both")
		return out
	case w.JSON != nil:
		key, form, out.JSON = "json", w.JSON, true
	case w.Form == nil:
		b.problem(at, "expected form or json")
		return out
	default:
		out.Forms = extract.Forms{Charset: charset}
	}
	if first && w.Path == "" {
		b.problem(at.key("path"), "is missing: expected the path of the login page")
	}
	at = at.key(key)
	out.User, out.UserField, out.PasswordField = form.User, form.UserField, form.PasswordField
	out.Password, _ = b.valueOrFile(at, "password", form.Password.Reveal(), form.PasswordFile)
	out.Action = b.path(at.key("action"), form.Action)
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		b.read = append(b.read, form.Fields[name].Reveal())
		out.Fields = append(out.Fields, probes.FormField{Name: name, Value: form.Fields[name].Reveal()})
	}
	b.token(form, charset, &out, at)
	if out.JSON {
		out.UserField, out.PasswordField = cmp.Or(out.UserField, "username"), cmp.Or(out.PasswordField, "password")
		if out.Token == nil {
			out.Action, out.Page = cmp.Or(out.Action, out.Page), ""
		}
		if out.Action == "" && out.Page == "" {
			b.problem(at.key("action"), "is missing: expected the path that the object is sent to")
		}
	}
	return out
}

// token adds the token against cross-site requests.
func (b *builder) token(form *wireLoginForm, charset string, out *probes.LoginStep, at keyPath) {
	out.TokenHeader, out.TokenField = form.CSRFHeader, form.CSRFField
	out.Token = b.extractor(form.CSRF, extractorContext{charset: charset, use: extract.Token}, at.key("csrf"))
	sent := form.CSRFHeader != "" || form.CSRFField != ""
	switch {
	case form.CSRF == nil && sent:
		b.problem(at.key("csrf"), "is missing: expected where the page has the token")
	case form.CSRF != nil && !sent && out.JSON:
		b.problem(at.key("csrf"), "requires csrf_header or csrf_field, which carries the token")
	}
	if form.CSRFHeader != "" && !headerName.MatchString(form.CSRFHeader) {
		b.problem(at.key("csrf_header"), "expected the name of a header, got %s", b.valueText(at.key("csrf_header"), form.CSRFHeader))
	}
	if out.Token != nil && form.CSRF.Cookie != "" {
		out.Token = unescaped{out.Token}
	}
}

// unescaped decodes the value of a cookie as a page's script does that sends it back: Laravel
// and Spring encode it.
type unescaped struct{ probes.Extractor }

func (u unescaped) Extract(doc probes.Document) (string, bool) {
	value, ok := u.Extractor.Extract(doc)
	if plain, err := url.PathUnescape(value); err == nil {
		value = plain
	}
	return value, ok
}
