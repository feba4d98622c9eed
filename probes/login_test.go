package probes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/extract"
)

const accountPassword = "correct horse & battery"

// An application keeps its sessions per node, unless they are shared. It shows users their
// account, and sends visitors to its login page.
type application struct {
	shared  bool
	lazy    bool   // a visitor with the cookie of another node keeps it, as in Express
	form    string // the login page; TOKEN is the token of its session
	logout  string // how users log out: "" by GET, "confirmed" by the form of the page at /logout, "form" by that of the account
	refusal string // what a wrong password gets: "redirect", "again", "401", "403", "page"

	mu       sync.Mutex
	sessions map[string]*appSession // by node and id
	ids      int
	logins   []string // nodes that took a password, in order
	logouts  int
	passed   int // requests through the balancer
}

type appSession struct{ token, user string }

const plainForm = `<form method="post" action="/login"><input type="hidden" name="_csrf" value="TOKEN">
<input name="username"><input type="password" name="password"><button>Log in</button></form>`

// serve starts nodes, and a balancer that sends request n to node choose(n).
func (a *application) serve(t *testing.T, nodes int, choose func(n int, r *http.Request) int) *probes.Cluster {
	t.Helper()
	a.sessions = make(map[string]*appSession)
	c := &probes.Cluster{Name: "shop", Limits: probes.Limits{Timeout: 10 * time.Second}, Session: &probes.Session{
		Path: "/account", Policy: probes.PolicySticky, Node: extractor(t, extract.Spec{Header: "X-Node"}),
		Cookie: "sid", ID: extractor(t, extract.Spec{Cookie: "sid"}), Login: formLogin(t, accountPassword),
	}}
	for i := range nodes {
		id := fmt.Sprintf("n%d", i+1)
		c.Nodes = append(c.Nodes, probes.Node{ID: id, URL: a.start(t, func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, id) })})
	}
	lb := a.start(t, func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.passed++
		n := choose(a.passed, r)
		a.mu.Unlock()
		a.answer(w, r, c.Nodes[n%nodes].ID)
	})
	c.Balancer.URLs = []*url.URL{lb}
	c.Limit(probes.Budget{RequestsPerSecond: 1000, Concurrent: 10})
	for _, n := range c.Nodes {
		probes.Direct(t.Context(), c, n) // teaches the limiter their labels
	}
	return c
}

func (a *application) start(t *testing.T, handle http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return must.URL(server.URL)
}

// answer answers as a node.
func (a *application) answer(w http.ResponseWriter, r *http.Request, node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("X-Node", node)
	s := a.session(w, r, node)
	switch {
	case r.URL.Path == "/account" && s.user != "":
		fmt.Fprintf(w, `<p>Hello %s</p><a id="logout" href="/logout"></a>`, s.user)
		if a.logout == "form" {
			fmt.Fprint(w, logoutForm(s))
		}
	case r.URL.Path == "/account":
		http.Redirect(w, r, "/login", http.StatusFound)
	case r.URL.Path == "/logout" && r.Method == http.MethodGet && a.logout == "confirmed":
		fmt.Fprint(w, logoutForm(s))
	case r.URL.Path == "/logout" && a.logout != "" && (r.Method == http.MethodGet || r.PostFormValue("_csrf") != s.token):
		http.Error(w, "by POST only", http.StatusMethodNotAllowed)
	case r.URL.Path == "/logout":
		a.logouts++
		s.user = ""
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		a.logIn(w, r, node, s)
	default:
		fmt.Fprint(w, strings.ReplaceAll(a.form, "TOKEN", s.token))
	}
}

// logoutForm returns a search form, and the form by which a user logs out.
func logoutForm(s *appSession) string {
	return `<form method="post" action="/search"><input name="q"></form>
<form method="post" action="logout?from=page"><input type="hidden" name="_csrf" value="` + s.token + `"><button>Log out</button></form>`
}

// session returns the client's session, which it opens if need be.
func (a *application) session(w http.ResponseWriter, r *http.Request, node string) *appSession {
	if a.shared {
		node = "all"
	}
	if cookie, err := r.Cookie("sid"); err == nil && a.sessions[node+cookie.Value] != nil {
		return a.sessions[node+cookie.Value]
	} else if err == nil && a.lazy {
		return new(appSession)
	}
	a.ids++
	id := fmt.Sprintf("session-%s-%08d", node, a.ids)
	a.sessions[node+id] = &appSession{token: fmt.Sprintf("token-%d", a.ids)}
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
	return a.sessions[node+id]
}

func (a *application) logIn(w http.ResponseWriter, r *http.Request, node string, s *appSession) {
	a.logins = append(a.logins, node)
	user, password, token := r.PostFormValue("username"), r.PostFormValue("password"), r.PostFormValue("_csrf")
	if r.Header.Get("Content-Type") == "application/json" {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		user, password, token = body["username"], body["password"], r.Header.Get("X-CSRF-Token")
	}
	switch {
	case token != s.token:
		http.Error(w, "invalid token", http.StatusForbidden)
	case user == "canary" && password == accountPassword:
		s.user = user
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	case a.refusal == "again":
		fmt.Fprint(w, strings.ReplaceAll(a.form, "TOKEN", s.token), "wrong password ", password)
	case a.refusal == "401":
		http.Error(w, "no", http.StatusUnauthorized)
	case a.refusal == "page":
		fmt.Fprint(w, "this did not work")
	default:
		http.Redirect(w, r, "/login?error", http.StatusFound)
	}
}

func extractor(t *testing.T, s extract.Spec) probes.Extractor {
	t.Helper()
	e, err := extract.New(s)
	must.Succeed(t, err)
	return e
}

func formLogin(t *testing.T, password string) *probes.Login {
	t.Helper()
	return &probes.Login{
		Steps:    []probes.LoginStep{{Page: "/login", Forms: extract.Forms{}, User: "canary", Password: password}},
		LoggedIn: extractor(t, extract.Spec{CSS: "#logout", Use: extract.Presence}), Logout: "/logout", Forms: extract.Forms{}, PerHour: 60,
	}
}

// jsonLogin sends JSON with the token of the form in a header.
func jsonLogin(t *testing.T) *probes.Login {
	t.Helper()
	login := formLogin(t, accountPassword)
	login.Steps = []probes.LoginStep{{
		Page: "/login", JSON: true, User: "canary", Password: accountPassword, UserField: "username", PasswordField: "password",
		Token: extractor(t, extract.Spec{CSS: "input[name=_csrf]", Attr: "value", Use: extract.Token}), TokenHeader: "X-CSRF-Token",
	}}
	return login
}

func newCanary(t *testing.T, c *probes.Cluster) *probes.Canary {
	t.Helper()
	return probes.NewCanary(c, probes.Resolve(t.Context(), c)[0], "", "", 0)
}

// stickToFirst sends all requests to the first node, taking turns sends each to another.
func stickToFirst(int, *http.Request) int  { return 0 }
func takeTurns(n int, _ *http.Request) int { return n }

// scatterAfterLogin keeps clients on the first node up to their login.
func scatterAfterLogin(_ int, r *http.Request) int {
	if r.URL.Path == "/account" {
		return 1
	}
	return 0
}

func TestLogin(t *testing.T) {
	for name, login := range map[string]func(*testing.T) *probes.Login{
		"a form":            func(t *testing.T) *probes.Login { return formLogin(t, accountPassword) },
		"JSON with a token": jsonLogin,
		"on the page itself": func(t *testing.T) *probes.Login {
			l := formLogin(t, accountPassword)
			l.Steps[0].Page = "/account"
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := &application{form: plainForm}
			c := app.serve(t, 1, stickToFirst)
			c.Session.Login = login(t)
			canary := newCanary(t, c)
			first := canary.Open(t.Context())
			again := canary.Return(t.Context())
			if first.LoggedIn != probes.LoggedIn || again.LoggedIn != probes.LoggedIn || canary.Trace().Visitor {
				t.Fatalf("got logged in %q, then %q; status %+v", first.LoggedIn, again.LoggedIn, c.LoginStatus())
			}
			if got := canary.Trace().SessionOutcome(1); got != probes.SessionKept {
				t.Errorf("got outcome %q, want kept", got)
			}
			canary.LogOut(t.Context())
			if app.logouts != 1 || len(app.logins) != 1 {
				t.Errorf("got %d logins and %d logouts, want one each", len(app.logins), app.logouts)
			}
		})
	}
}

// TestLogout: users log out by a link, by the form of a page that confirms, or by a form of the
// session's page.
func TestLogout(t *testing.T) {
	for _, how := range []string{"", "confirmed", "form"} {
		app := &application{form: plainForm, logout: how}
		c := app.serve(t, 1, stickToFirst)
		canary := newCanary(t, c)
		canary.Open(t.Context())
		canary.LogOut(t.Context())
		if app.logouts != 1 || !canary.Trace().Visitor {
			t.Errorf("%q: got %d logouts, want one", how, app.logouts)
		}
	}
}

// TestThrownOut: a user who is sent to the login page has lost the session.
func TestThrownOut(t *testing.T) {
	app := &application{form: plainForm}
	c := app.serve(t, 2, stickToFirst)
	canary := newCanary(t, c)
	canary.Open(t.Context())
	app.mu.Lock()
	clear(app.sessions)
	app.mu.Unlock()
	ex := canary.Return(t.Context())
	trace := canary.Trace()
	if ex.LoggedIn != probes.LoggedOut || trace.SessionOutcome(1) != probes.SessionLost || canary.StartNextRound() {
		t.Errorf("got logged in %q, outcome %q", ex.LoggedIn, trace.SessionOutcome(1))
	}
}

// TestNothingStoredAtLoginPage: a request that should store a value and is sent to the login page
// has stored nothing, so that the session is not compared with that value.
func TestNothingStoredAtLoginPage(t *testing.T) {
	app := &application{form: plainForm, lazy: true}
	c := app.serve(t, 2, func(_ int, r *http.Request) int {
		if r.URL.RawQuery != "" { // of the request that stores
			return 1
		}
		return 0
	})
	c.Session.Write = "/account?set={value}"
	c.Session.Read = extractor(t, extract.Spec{CSS: "#value"})
	canary := newCanary(t, c)
	canary.Open(t.Context())
	canary.Write(t.Context())
	if ex := canary.Return(t.Context()); ex.LoggedIn != probes.LoggedIn {
		t.Fatalf("got logged in %q after the request that stores", ex.LoggedIn)
	}
	trace := canary.Trace()
	if got := trace.SessionOutcome(len(trace.Steps) - 1); got != probes.SessionKept {
		t.Errorf("got outcome %q, want kept", got)
	}
}

// TestLoginScattered: the application accepts the login on one node, and another answers the
// next request. That is a lost session, and no refusal.
func TestLoginScattered(t *testing.T) {
	app := &application{form: plainForm}
	c := app.serve(t, 2, scatterAfterLogin)
	canary := newCanary(t, c)
	canary.Open(t.Context())
	trace := canary.Trace()
	if len(trace.Steps) != 2 || trace.SessionOutcome(1) != probes.SessionLost || trace.Visitor {
		t.Fatalf("got trace %+v, want a session that is lost at once", trace)
	}
	if got := []string{trace.First().Label, trace.Steps[1].Label}; got[0] != "n1" || got[1] != "n2" {
		t.Errorf("got the nodes %q, want n1 and n2", got)
	}
	if s := c.LoginStatus(); s.Problem != "" || s.Refusals != 0 {
		t.Errorf("got status %+v, want no refusal", s)
	}
}

// TestWrongPassword: whatever the refusal looks like, the application sees one login, nothing
// shows the password, and no session counts as lost.
func TestWrongPassword(t *testing.T) {
	const wrong = "Tr0ub4dor&3 with blanks"
	for _, choose := range []func(int, *http.Request) int{stickToFirst, takeTurns} {
		for refusal, want := range map[string]probes.LoginProblem{
			"redirect": probes.LoginRefused, "again": probes.LoginRefused, "401": probes.LoginRefused, "page": probes.LoginNotIn,
		} {
			app := &application{form: plainForm, refusal: refusal, shared: true}
			c := app.serve(t, 3, choose)
			c.Session.Login = formLogin(t, wrong)
			c.Session.Read = extractor(t, extract.Spec{Regex: "(?s).*"})
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() { newCanary(t, c).Open(t.Context()) })
			}
			all.Wait()
			canary := newCanary(t, c)
			canary.Open(t.Context())
			status := c.LoginStatus()
			if len(app.logins) != 1 || status.Problem != want || status.Refusals != 1 || time.Until(status.Until) < 29*time.Minute {
				t.Errorf("%s: got %d logins, status %+v, want one that is %s", refusal, len(app.logins), status, want)
			}
			if trace := canary.Trace(); !trace.Visitor || len(trace.Steps) != 1 {
				t.Errorf("%s: got trace %+v, want that of a visitor", refusal, trace)
			}
			shown, err := json.Marshal([]any{status, canary.Trace()})
			must.Succeed(t, err)
			for _, secret := range []string{wrong, url.QueryEscape(wrong), "Tr0ub4dor"} {
				if strings.Contains(string(shown), secret) {
					t.Errorf("%s: the password is shown in %s", refusal, shown)
				}
			}
		}
	}
}

// TestLoginWithoutAnswer: no answer and an error of the server are no refusal. A redirect that asks
// for the password once more, or leads to another host, may be one.
func TestLoginWithoutAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		handle   http.HandlerFunc
		refusals int
	}{
		"no page":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
		"an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, 0},
		"a new POST": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusTemporaryRedirect)
		}, 1},
		"another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2:1/", http.StatusFound)
		}, 1},
	} {
		app := &application{form: plainForm}
		posts := 0
		u := app.start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				fmt.Fprint(w, plainForm)
				return
			}
			posts++
			tt.handle(w, r)
		})
		c := &probes.Cluster{Limits: probes.Limits{Timeout: 10 * time.Second}, Session: &probes.Session{Path: "/", Login: formLogin(t, accountPassword)}}
		c.Balancer.URLs = []*url.URL{u}
		newCanary(t, c).Open(t.Context())
		if s := c.LoginStatus(); posts != 1 || s.Problem == "" || s.Refusals != tt.refusals {
			t.Errorf("%s: got %d posts, status %+v, want one and %d refusals", name, posts, s, tt.refusals)
		}
	}
}

// TestLoginPageBase: the action of a form is relative to the page's <base>, unless that is on
// another host.
func TestLoginPageBase(t *testing.T) {
	for base, want := range map[string]string{
		"":                       "/login",
		`<base target="_top">`:   "/login",
		`<base href="/deep/er">`: "/deep/login",
		`<base><base href="x/"><base href="/y/">`: "/x/login",
		`<base href="http://127.0.0.2:1/z/">`:     "/login",
	} {
		app, got := &application{}, ""
		u := app.start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				got = r.URL.Path
			}
			fmt.Fprint(w, base+strings.Replace(plainForm, "/login", "login", 1))
		})
		c := &probes.Cluster{Limits: probes.Limits{Timeout: 10 * time.Second}, Session: &probes.Session{Path: "/", Login: formLogin(t, accountPassword)}}
		c.Balancer.URLs = []*url.URL{u}
		if newCanary(t, c).Open(t.Context()); got != want {
			t.Errorf("%s: the form was sent to %q, want %q", base, got, want)
		}
	}
}

// TestHostileLoginPage: a page that was changed gets no password.
func TestHostileLoginPage(t *testing.T) {
	stolen := ""
	evil := (&application{}).start(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		stolen += r.Method + " " + r.Form.Encode()
	})
	long := strings.Repeat("x", 2<<20)
	many := strings.Repeat(`<input type="hidden" name="a" value="b">`, 2000)
	for page, want := range map[string]probes.LoginProblem{
		strings.Replace(plainForm, "/login", evil.String()+"/login", 1):               probes.LoginElsewhere,
		strings.Replace(plainForm, "/login", "//"+evil.Host+"/login", 1):              probes.LoginElsewhere,
		strings.Replace(plainForm, "/login", "javascript:send()", 1):                  probes.LoginElsewhere,
		strings.Replace(plainForm, "/login", "http://[::bad", 1):                      probes.LoginElsewhere,
		`<base href="` + evil.String() + `">` + plainForm:                             "",
		strings.Replace(plainForm, "post", "get", 1):                                  probes.LoginNoForm,
		strings.Replace(plainForm, `method="post"`, "", 1):                            probes.LoginNoForm,
		strings.Replace(plainForm, "<form", `<form enctype="multipart/form-data"`, 1): probes.LoginNoForm,
		strings.Replace(plainForm, "<button", many+"<button", 1):                      probes.LoginNoForm,
		strings.Replace(plainForm, "TOKEN", long, 1):                                  probes.LoginNoForm,
		long + plainForm: probes.LoginNoForm,
		"":               probes.LoginNoForm,
		"REDIRECT":       probes.LoginElsewhere,
	} {
		app := &application{form: page}
		c := app.serve(t, 1, stickToFirst)
		if page == "REDIRECT" {
			c.Balancer.URLs[0] = app.start(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.String(), http.StatusFound) })
		}
		newCanary(t, c).Open(t.Context())
		s := c.LoginStatus()
		if sent := len(app.logins); s.Problem != want || (sent > 0) != (want == "") {
			t.Errorf("%.200q: got %d passwords sent, problem %q (%s), want %q", page, sent, s.Problem, s.Fault, want)
		}
	}
	expect.Equal(t, "what another host got", "", stolen)
}

// TestLoginPauses: a wrong password is tried rarely, and a right one often enough.
func TestLoginPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gate probes.LoginGate
		tries := func(d time.Duration, problem probes.LoginProblem) (n int) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
				if gate.Enter(t.Context(), 60) {
					n++
					gate.Leave(t.Context(), probes.LoginAttempt{Problem: problem, Sent: true})
				}
			}
			return n
		}
		got := []int{
			tries(29*time.Minute, probes.LoginRefused), tries(24*time.Hour, probes.LoginRefused),
			tries(7*24*time.Hour, probes.LoginRefused), tries(25*time.Hour, ""),
		}
		expect.Equal(t, "wrong passwords in half an hour, the next day, the next week", []int{1, 5, 7}, got[:3])
		if got[3] < 60 {
			t.Errorf("got %d logins with the right password", got[3])
		}
	})
}

// TestLoginsPerHour: no hour has more logins than the limit.
func TestLoginsPerHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gate probes.LoginGate
		var times []time.Time
		for range 8 * 3600 {
			if gate.Enter(t.Context(), 12) {
				times = append(times, time.Now())
				gate.Leave(t.Context(), probes.LoginAttempt{Sent: true})
			}
			time.Sleep(time.Second)
		}
		for i, at := range times {
			n := 0
			for _, other := range times[i:] {
				if other.Sub(at) < time.Hour {
					n++
				}
			}
			if n > 12 {
				t.Fatalf("got %d logins in the hour from %s", n, at)
			}
		}
		if len(times) < 6*8 {
			t.Errorf("got %d logins in 8 hours", len(times))
		}
	})
}
