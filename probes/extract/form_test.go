package extract

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/probes"
)

// TestForms reads forms of common frameworks as a browser sends them.
func TestForms(t *testing.T) {
	login := probes.FormFields{User: true, Password: true}
	field := func(name, value string) probes.FormField { return probes.FormField{Name: name, Value: value} }
	for name, tt := range map[string]struct {
		page string
		want probes.FormFields
		form probes.Form
		err  error
	}{
		"Tomcat": {
			page: `<form method="POST" action='j_security_check;jsessionid=1'><input name=j_username><input type=password name=j_password></form>`,
			want: login,
			form: probes.Form{Action: "j_security_check;jsessionid=1", UserField: "j_username", PasswordField: "j_password", Fields: []probes.FormField{field("j_username", "")}},
		},
		"Django's admin, after a search form": {
			page: `<form action="/search"><input name="q"></form><form method="post" id="login-form">
				<input type="hidden" name="csrfmiddlewaretoken" value="a&amp;b"><input type="text" name="username" required>
				<input type="password" name="password"><input type="hidden" name="next" value="/admin/"><input type="submit" value="Log in"></form>`,
			want: login,
			form: probes.Form{UserField: "username", PasswordField: "password", Fields: []probes.FormField{
				field("csrfmiddlewaretoken", "a&b"), field("username", ""), field("next", "/admin/"),
			}},
		},
		"choices and buttons": {
			page: `<form method=post><input name=tenant value=a><input name=mail type=email><input name=p type=password>
				<input type=checkbox name=remember><input type=checkbox name=terms checked><input type=radio name=r value=1><input type=radio name=r value=2 checked>
				<select name=lang><option>en<option value=zh selected>Chinese</select><select name=zone><option>UTC</select>
				<button name=go value=1>Log in</button><button name=other value=2>No</button><input type=hidden name=off disabled value=x></form>`,
			want: login,
			form: probes.Form{UserField: "mail", PasswordField: "p", Fields: []probes.FormField{
				field("tenant", "a"), field("mail", ""), field("terms", "on"), field("r", "2"), field("lang", "zh"), field("zone", "UTC"), field("go", "1"),
			}},
		},
		"lists in a list": {
			page: `<form method=post><input name=u><input name=p type=password><select name=a><select name=b><option>x</select></select><select name=c><option>y<select name=d>`,
			want: login,
			form: probes.Form{UserField: "u", PasswordField: "p", Fields: []probes.FormField{field("u", ""), field("b", "x"), field("c", "y")}},
		},
		"the user alone": {
			page: `<form method=post action=next><input name=login><input name=other></form>`,
			want: probes.FormFields{User: true},
			form: probes.Form{Action: "next", UserField: "login", Fields: []probes.FormField{field("login", ""), field("other", "")}},
		},
		"named fields": {
			page: `<form method=post><input name=a><input name=b><input name=c type=password><input name=d type=password></form>`,
			want: probes.FormFields{User: true, Password: true, UserField: "a", PasswordField: "d"},
			form: probes.Form{UserField: "a", PasswordField: "d", Fields: []probes.FormField{field("a", ""), field("b", "")}},
		},
		"no password":      {page: `<form method=post><input name=q></form>`, want: login, err: probes.FormMissing},
		"no such field":    {page: `<form method=post><input name=q><input type=password name=p></form>`, want: probes.FormFields{User: true, UserField: "mail"}, err: probes.FormMissing},
		"no form":          {page: `<input name=q><input type=password name=p>`, want: login, err: probes.FormMissing},
		"GET":              {page: `<form><input name=q><input type=password name=p></form>`, want: login, err: probes.FormByGet},
		"an upload":        {page: `<form method=post enctype=multipart/form-data><input name=q><input type=password name=p></form>`, want: login, err: probes.FormEncoded},
		"too many fields":  {page: `<form method=post><input name=q><input type=password name=p>` + strings.Repeat("<input type=hidden name=h>", 300), want: login, err: probes.FormTooLarge},
		"too large fields": {page: `<form method=post><input name=q><input type=password name=p><input type=hidden name=h value=` + strings.Repeat("x", 300<<10) + `>`, want: login, err: probes.FormTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			form, err := Forms{}.ReadForm(probes.Document{Body: []byte(tt.page)}, tt.want)
			if tt.err != nil {
				if err != tt.err { //nolint:errorlint // they are constants
					t.Fatalf("got %v, want %v", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.form, form); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestUses: a token is returned as it is, and an element without text is present.
func TestUses(t *testing.T) {
	token := strings.Repeat("a1+/", 200)
	page := `<meta name="csrf-token" content="` + token + `"><a id="logout"><svg></svg></a>`
	for spec, want := range map[Spec]string{
		{CSS: "meta[name=csrf-token]", Attr: "content", Use: Token}: token,
		{CSS: "#logout"}:                            "",
		{CSS: "#logout", Use: Presence}:             "present",
		{CSS: "#login", Use: Presence}:              "",
		{CSS: "meta", Attr: "title", Use: Presence}: "",
	} {
		if got, _ := mustNew(t, spec).Extract(probes.Document{Body: []byte(page)}); got != want {
			t.Errorf("%+v: got %q, want %q", spec, got, want)
		}
	}
	for body, want := range map[string]bool{`{"user": "u"}`: true, `{"user": true}`: true, `{"user": false}`: false, `{"user": null}`: false, `{}`: false} {
		if _, got := mustNew(t, Spec{JSONPath: "$.user", Use: Presence}).Extract(probes.Document{Body: []byte(body)}); got != want {
			t.Errorf("%s: got present %t, want %t", body, got, want)
		}
	}
}
