package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/extract"
)

const loginFile = `clusters:
  - name: shop
    balancer: {url: http://lb.example}
    nodes: [{id: a, url: "http://127.0.0.1:2"}]
    session: {path: /account, login: LOGIN}
`

func parseLogin(t *testing.T, login string) (*probes.Login, error) {
	t.Helper()
	dir := t.TempDir()
	must.Succeed(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("hunter22\n"), 0o600))
	c, err := Parse(filepath.Join(dir, "stickwatch.yml"), []byte(strings.Replace(loginFile, "LOGIN", login, 1)), testenv)
	if err != nil {
		return nil, err
	}
	return c.Clusters[0].Session.Login, nil
}

func TestLogin(t *testing.T) {
	const in = `logged_in: {css: "#logout"}`
	forms := extract.Forms{}
	for login, want := range map[string][]probes.LoginStep{
		`{path: /login, form: {user: canary, password_file: pw}, ` + in + `}`: {
			{Page: "/login", Forms: forms, User: "canary", Password: "hunter22"},
		},
		`{path: /login, form: {user: canary, password: p4ss, csrf: {css: "input[name=_csrf]", attr: value}, action: /in, fields: {b: "1", a: x}}, ` + in + `}`: {
			{Page: "/login", Action: "/in", Forms: forms, User: "canary", Password: "p4ss", Fields: []probes.FormField{{Name: "a", Value: "x"}, {Name: "b", Value: "1"}}},
		},
		`{path: /api/login, json: {user: canary, password_file: pw, user_field: mail}, ` + in + `}`: {
			{Action: "/api/login", JSON: true, User: "canary", Password: "hunter22", UserField: "mail", PasswordField: "password"},
		},
		`{path: /, json: {user: canary, password_file: pw, action: /api, csrf: {cookie: XSRF-TOKEN}, csrf_header: X-XSRF-TOKEN}, ` + in + `}`: {
			{Page: "/", Action: "/api", JSON: true, User: "canary", Password: "hunter22", UserField: "username", PasswordField: "password", TokenHeader: "X-XSRF-TOKEN"},
		},
		`{steps: [{path: /login, form: {user: canary}}, {form: {password_file: pw}}], ` + in + `}`: {
			{Page: "/login", Forms: forms, User: "canary"}, {Forms: forms, Password: "hunter22"},
		},
	} {
		got, err := parseLogin(t, login)
		if err != nil {
			t.Errorf("%s: %v", login, err)
			continue
		}
		expect.Equal(t, fmt.Sprintf("%s: steps", login), want, got.Steps, cmpopts.IgnoreFields(probes.LoginStep{}, "Token"))
		if got.PerHour != 60 || got.LoggedIn == nil || (got.Steps[0].Token != nil) != strings.Contains(login, "csrf") {
			t.Errorf("%s: got %+v", login, got)
		}
	}
}

func TestLoginProblems(t *testing.T) {
	const form = `path: /login, form: {user: u, password_file: pw}`
	for login, want := range map[string]string{
		`{` + form + `}`: "logged_in: is missing",
		`{path: /login, form: {user: u}, logged_in: {css: a}}`:                                          "expected a password or password_file",
		`{form: {user: u, password_file: pw}, logged_in: {css: a}}`:                                     "path: is missing",
		`{path: /login, logged_in: {css: a}}`:                                                           "expected form or json",
		`{` + form + `, json: {user: u}, logged_in: {css: a}}`:                                          "expected form or json, got both",
		`{` + form + `, steps: [{path: /, form: {user: u}}], logged_in: {css: a}}`:                      "cannot be used with path",
		`{` + form + `, per_hour: 1, logged_in: {css: a}}`:                                              "expected 2 to 1000",
		`{` + form + `, logout: "http://other/", logged_in: {css: a}}`:                                  "begins with /",
		`{path: /login, form: {user: u, password: hunter22, password_file: pw}, logged_in: {css: a}}`:   "got both",
		`{path: /login, form: {user: u, password: hunter22, csrf_field: x}, logged_in: {css: a}}`:       "csrf: is missing",
		`{path: /login, json: {user: u, password: hunter22, csrf: {cookie: x}}, logged_in: {css: a}}`:   "requires csrf_header or csrf_field",
		`{path: /login, form: {user: u, password: hunter22, action: "//other/x"}, logged_in: {css: a}}`: "expected a path on the server",
		`{path: /login, form: {user: u, password_file: nothing}, logged_in: {css: a}}`:                  "no such file",
	} {
		_, err := parseLogin(t, login)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", login, err, want)
			continue
		}
		if problems, ok := err.(Problems); !ok || strings.Contains(problems.Excerpt(), "hunter22") {
			t.Errorf("%s: shown in\n%v", login, err)
		}
	}
}

// TestTokenOfACookie: a page's script decodes the cookie that it sends back.
func TestTokenOfACookie(t *testing.T) {
	login, err := parseLogin(t, `{path: /, json: {user: u, password: p4ss, csrf: {cookie: XSRF-TOKEN}, csrf_header: X}, logged_in: {css: a}}`)
	must.Succeed(t, err)
	long := strings.Repeat("a+/", 150)
	got, _ := login.Steps[0].Token.Extract(probes.Document{Cookies: map[string]string{"XSRF-TOKEN": long + "%3D%3D"}})
	if got != long+"==" {
		t.Errorf("got %q", got)
	}
}
