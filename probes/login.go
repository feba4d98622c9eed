package probes

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// A Login describes how a client logs in to the application, so that its session is one of
// a user. The clients of a cluster share it and one account: it admits few logins, one at a
// time. See loginGate.
type Login struct {
	Steps    []LoginStep
	LoggedIn Extractor  // finds something on the session's page if, and only if, the client is logged in
	Logout   string     // path that logs out; "": none
	Forms    FormReader // finds the form that is sent to Logout; nil: there is none
	PerHour  int        // largest number of logins in an hour

	gate loginGate
}

// A LoginStep is one form, or one JSON object, that a client sends with POST.
type LoginStep struct {
	// Page is the path that is requested first, for the form or the token on it. "": in the
	// first step none, and later the page that the step before has led to.
	Page   string
	Action string     // path that the form is sent to; "": the form's own, or Page
	Forms  FormReader // finds the form on the page; nil: the step sends Fields only
	JSON   bool       // the fields are sent as a JSON object

	User, Password           string // "": the step does not send it
	UserField, PasswordField string // names of their fields; "": those that the form has
	Fields                   []FormField

	Token       Extractor // reads a token against cross-site requests (CSRF) from the page; nil: the form has it, or there is none
	TokenHeader string    // request header that carries the token; "": none
	TokenField  string    // field that carries the token; "": none
}

// A LoginProblem is the reason why a client could not log in.
type LoginProblem string

// The problems. After every one but LoginUnanswered that follows a password, the account is
// left alone for long.
const (
	LoginRefused    LoginProblem = "refused"    // it shows the login page again, or answers 401 or 429
	LoginRejected   LoginProblem = "rejected"   // it answers the form with another 4xx, or asks for it once more (307, 308)
	LoginNotIn      LoginProblem = "not_in"     // it accepts the form, and the session's page does not show a login then
	LoginScattered  LoginProblem = "scattered"  // rejected by another node than the one with the form, which need not know the session
	LoginUnanswered LoginProblem = "unanswered" // no answer, or 5xx
	LoginNoForm     LoginProblem = "no_form"    // the page is not as configured; nothing was sent
	LoginElsewhere  LoginProblem = "elsewhere"  // the page, its form, or the answer to it leads to another host, to which nothing was sent
)

// A LoginAttempt is one attempt to log in.
type LoginAttempt struct {
	Problem  LoginProblem // "": the client is logged in
	Fault    FormFault    // of the page; "": Exchange has the failure
	Host     string       // other host to which the page or its form leads, cleaned; "": none
	Exchange Exchange     // the request that decided
	Sent     bool         // a password was sent
	From, To string       // with LoginScattered: ids of the nodes that gave the form, and took it
}

// Open opens the session. A client that must log in does so, unless the account may not be
// used now: it then stays a visitor, which Trace.Visitor shows.
func (c *Canary) Open(ctx context.Context) Exchange {
	ex := c.Visit(ctx)
	if c.login() == nil || !ex.OK() || !c.LogIn(ctx) {
		return ex
	}
	return c.First()
}

// LogIn logs a client in that has visited the application. The trace then starts anew, with
// the first answer to the user. It reports whether the client has the session of a user: also
// one that was lost at once, because another node answered the next request. For an
// application without a login it does nothing, and reports true.
func (c *Canary) LogIn(ctx context.Context) bool {
	login := c.login()
	if login == nil {
		return true
	}
	if !login.gate.enter(ctx, login.PerHour) {
		return false
	}
	attempt, jar, steps := c.attemptLogin(ctx, login)
	login.gate.leave(ctx, attempt)
	if len(steps) == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first := steps[0].Exchange
	c.jar, c.session, c.holder, c.opened = jar, first.Session, first.Label, first.At
	c.trace.OpenerLabel, c.trace.Opened, c.trace.Visitor = first.Label, first.At, false
	c.trace.Steps, c.written, c.revision = steps, 0, sessionIDs.Add(1)
	return true
}

// LogOut gives up the session of a logged-in client by a GET of Logout, and by the form that is
// sent there if the application has one: on the page that confirms (Spring Security), or on the
// session's page where the path takes no GET (Django). ctx may have ended: a logout has a time
// limit of its own.
func (c *Canary) LogOut(ctx context.Context) {
	login := c.login()
	if login == nil || login.Logout == "" || c.visitor() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(logoutLimit, c.client.target.Timeout))
	defer cancel()
	s := &loginSequence{canary: c, login: login, jar: c.cookies(), step: LoginStep{Forms: login.Forms}}
	s.ex, s.page = s.ask(ctx, pageRequest{path: login.Logout})
	if s.ex.Status >= http.StatusBadRequest && s.ex.Status < http.StatusInternalServerError {
		s.ex, s.page = s.ask(ctx, pageRequest{path: c.cluster.ClientPath(), follow: true})
	}
	if form, ok := s.logoutForm(); ok {
		s.ask(ctx, pageRequest{path: form.url.Path, form: form, url: form.url})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace.Visitor = true
}

// logoutForm returns the form of the page that is sent to the path that logs out.
func (s *loginSequence) logoutForm() (*formRequest, bool) {
	to, err := s.canary.client.URL(s.login.Logout)
	if err != nil || s.step.Forms == nil || s.page.url == nil {
		return nil, false
	}
	s.accept = func(f Form) bool {
		target := s.target(f)
		return target != nil && target.Path == to.Path
	}
	form, problem := s.fill()
	return form, problem == ""
}

// logoutLimit bounds a logout, so that the end of the program does not wait for it.
const logoutLimit = 2 * time.Second

// login returns how the clients of the cluster log in; nil: they need not.
func (c *Canary) login() *Login {
	if c.cluster.Session == nil {
		return nil
	}
	return c.cluster.Session.Login
}

// attemptLogin sends the steps of a login. It returns the cookies of the user's session and the
// steps of the trace that it begins; no steps if there is no such session.
func (c *Canary) attemptLogin(ctx context.Context, login *Login) (LoginAttempt, *Jar, []Step) {
	var attempt LoginAttempt
	s := &loginSequence{canary: c, login: login, jar: c.cookies().clone()}
	for i, step := range login.Steps {
		s.step, s.last = step, i == len(login.Steps)-1
		if problem := s.run(ctx); problem != "" {
			attempt.Problem, attempt.Fault, attempt.Host, attempt.Exchange, attempt.Sent = problem, s.fault, s.host, s.ex, s.sent
			attempt.From, attempt.To = s.from, s.to
			return attempt, nil, nil
		}
	}
	attempt.Sent = true
	check := s.check(ctx)
	attempt.Exchange = check
	switch {
	case check.LoggedIn == LoggedIn:
		return attempt, s.jar, []Step{{Kind: StepFirst, Exchange: check}}
	case check.LoggedIn != LoggedOut:
		attempt.Problem = LoginUnanswered
	case s.knownToSender(ctx):
		return attempt, s.accepted, []Step{{Kind: StepFirst, Exchange: s.post}, {Kind: StepReturn, Exchange: check}}
	default:
		attempt.Problem = LoginNotIn
	}
	return attempt, nil, nil
}

// A loginSequence is a login under way.
type loginSequence struct {
	canary *Canary
	login  *Login
	jar    *Jar

	accepted *Jar // the cookies after the newest answer to a form: those of later answers may be another session's
	step     LoginStep
	last     bool            // step is the last one
	accept   func(Form) bool // which form it is; nil: any that has the fields
	page     Document
	from, to string   // ids of the nodes that gave the page, and took its form; "": not known
	ex       Exchange // the newest request
	post     Exchange // the newest answer to a form, before any redirect
	sent     bool     // a password was sent

	fault FormFault // see LoginAttempt
	host  string
}

// run sends one step.
func (s *loginSequence) run(ctx context.Context) LoginProblem {
	if s.step.Page != "" {
		if problem := s.requestPage(ctx); problem != "" {
			return problem
		}
	}
	form, problem := s.fill()
	if problem != "" {
		return problem
	}
	s.sent = s.sent || s.step.Password != ""
	var answer Document
	s.ex, answer = s.ask(ctx, pageRequest{path: form.url.Path, form: form, url: form.url})
	s.post, s.accepted = s.ex, s.jar.clone()
	if problem := s.judge(answer); problem != "" {
		return problem
	}
	s.page, s.from = answer, s.nodeOf(s.ex)
	if answer.next != nil {
		s.ex, s.page = s.ask(ctx, pageRequest{path: answer.next.Path, url: answer.next, follow: true})
		if s.ex.Failure != "" || s.ex.Status >= http.StatusInternalServerError {
			return LoginUnanswered
		}
	}
	return ""
}

// requestPage requests the page of the step.
func (s *loginSequence) requestPage(ctx context.Context) LoginProblem {
	s.ex, s.page = s.ask(ctx, pageRequest{path: s.step.Page, follow: true})
	switch {
	case s.ex.Failure != "" || s.ex.Status >= http.StatusInternalServerError:
		return LoginUnanswered
	case s.ex.Redirect != "":
		s.host = s.ex.Redirect
		return LoginElsewhere
	default:
		s.from = s.nodeOf(s.ex)
		return ""
	}
}

func (s *loginSequence) nodeOf(ex Exchange) string {
	return s.canary.cluster.Limiter.nodeOf(ex.Label)
}

// ask sends a request of the login, in the session that it opens.
func (s *loginSequence) ask(ctx context.Context, q pageRequest) (Exchange, Document) {
	own := s.canary.pageRequest(q.path, s.jar)
	own.url, own.form, own.follow, own.loggedIn = q.url, q.form, q.follow, nil
	return s.canary.client.ask(ctx, own)
}

// check requests the session's page.
func (s *loginSequence) check(ctx context.Context) Exchange {
	q := s.canary.pageRequest(s.canary.cluster.ClientPath(), s.jar)
	q.loggedIn = s.login.LoggedIn
	ex, _ := s.canary.client.ask(ctx, q)
	return ex
}

// judge returns why the answer to the step's form is no success; "": it may be one.
func (s *loginSequence) judge(answer Document) LoginProblem {
	switch {
	case s.ex.Failure != "" || s.ex.Status >= http.StatusInternalServerError:
		return LoginUnanswered
	case s.ex.Status == http.StatusUnauthorized || s.ex.Status == http.StatusTooManyRequests:
		return LoginRefused
	case s.ex.Status >= http.StatusBadRequest && s.from != "" && s.nodeOf(s.ex) != "" && s.nodeOf(s.ex) != s.from:
		s.to = s.nodeOf(s.ex)
		return LoginScattered
	case s.ex.Status >= http.StatusTemporaryRedirect:
		return LoginRejected
	case s.ex.Redirect != "" && answer.next == nil:
		s.host = s.ex.Redirect
		return LoginElsewhere
	case s.last && s.showsLoginAgain(answer):
		return LoginRefused
	default:
		return ""
	}
}

// showsLoginAgain reports whether an answer is, or leads to, the page with the form.
func (s *loginSequence) showsLoginAgain(answer Document) bool {
	if answer.next != nil {
		formPage := s.page.url
		return formPage != nil && answer.next.Path == formPage.Path && answer.next.Path != s.sessionPath()
	}
	if s.step.Forms == nil {
		return false
	}
	_, err := s.step.Forms.ReadForm(answer, FormFields{Password: true})
	return err == nil
}

// sessionPath returns the path of the session's page on the target. Some applications show the
// login form there, and lead back to it after a login.
func (s *loginSequence) sessionPath() string {
	u, err := s.canary.client.URL(s.canary.cluster.ClientPath())
	if err != nil {
		return ""
	}
	return u.Path
}

// knownToSender reports whether the node that took the form, asked directly, knows the session
// as logged in although the balancer's answer does not. Then the application accepted the login, and the
// session is lost.
func (s *loginSequence) knownToSender(ctx context.Context) bool {
	c := s.canary
	id := c.cluster.Limiter.nodeOf(s.post.Label)
	at := slices.IndexFunc(c.cluster.Nodes, func(n Node) bool { return n.ID == id })
	if at < 0 {
		return false
	}
	there := c.presentAs(ctx, c.cluster.Nodes[at], s.accepted.clone(), s.login.LoggedIn)
	return there.LoggedIn == LoggedIn
}

// secrets returns the passwords of a login; none for nil.
func (l *Login) secrets() []string {
	if l == nil {
		return nil
	}
	var list []string
	for _, s := range l.Steps {
		list = append(list, s.Password)
		for _, f := range s.Fields {
			if len(f.Value) >= minCookie || secretHeader.MatchString(f.Name) {
				list = append(list, f.Value)
			}
		}
	}
	return list
}
