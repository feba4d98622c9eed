package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A userApp is a cluster of an application with users, whose sessions begin with a login.
type userApp struct {
	nodes    []*Process
	attempts string // file with a line for each password that a node was sent, and each logout
	session  string // the section session of the configuration, without policy
	password string // file with the password of the account

	login, logout string // what lines of that file contain; login "": every other line is one
}

// expressUsers starts three nodes of the Express application in express/login.js.
func expressUsers(tb testing.TB, csrf string, env ...string) userApp {
	tb.Helper()
	dir := tb.TempDir()
	a := userApp{attempts: filepath.Join(dir, "attempts"), password: filepath.Join(dir, "password")}
	for _, name := range names[:3] {
		a.nodes = append(a.nodes, Express(tb, ExpressConfig{
			ID: name, Script: "login.js", Env: append([]string{"CSRF=" + csrf, "ATTEMPTS=" + a.attempts}, env...),
		}))
	}
	how := "path: /login, form: {user: canary, password_file: %q}"
	if csrf == "cookie" {
		how = "path: /login, json: {user: canary, password_file: %q, action: /login, csrf: {cookie: XSRF-TOKEN}, csrf_header: X-XSRF-TOKEN}"
	}
	a.session = `path: /account, node: {header: X-Node}, id: {cookie: connect.sid}, write: "?set={value}", read: {regex: "value=([0-9]+)"},
      login: {` + fmt.Sprintf(how, a.password) + `, logged_in: {css: "#logout"}, logout: /logout}`
	return a
}

// behind starts a balancer and configures the cluster by a file, as an operator does.
func (a userApp) behind(tb testing.TB, f appFront, policy probes.Policy, password string) *app {
	tb.Helper()
	must.Succeed(tb, os.WriteFile(a.password, []byte(password), 0o600))
	var nodes []string
	for i, n := range a.nodes {
		nodes = append(nodes, fmt.Sprintf("{id: %s, url: \"http://%s\"}", names[i], n.Addr()))
	}
	header := ""
	if f.header {
		header = ", client_ip_header: " + clientHeader
	}
	text := fmt.Sprintf(`clusters:
  - name: shop
    balancer: {url: %q, method: %s%s}
    nodes: [%s]
    session: {policy: %s, %s}
`, f.start(tb, processServers(a.nodes)), f.method, header, strings.Join(nodes, ", "), cmp.Or(policy, probes.PolicySticky), a.session)
	cfg, err := config.Parse(filepath.Join(tb.TempDir(), "stickwatch.yml"), []byte(text), os.LookupEnv)
	if err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	return &app{tb: tb, nodes: a.nodes, cluster: cfg.Clusters[0]}
}

// counts returns how many passwords the nodes were sent, and how many users logged out.
func (a userApp) counts(tb testing.TB) (logins, logouts int) {
	tb.Helper()
	text, err := os.ReadFile(a.attempts)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	logouts = strings.Count(string(text), cmp.Or(a.logout, " logout\n"))
	if a.login == "" {
		return strings.Count(string(text), "\n") - logouts, logouts
	}
	return strings.Count(string(text), a.login), logouts
}

const rightPassword, wrongPassword = "correct horse", "battery staple"

// TestUsers runs an application whose users log in. Behind balancers that are sticky, canaries
// log in once on each node, and log out. A wrong password is sent once, however often
// stickwatch probes, and loses no session.
func TestUsers(t *testing.T) {
	for name, of := range map[string]struct {
		start func(testing.TB) userApp
		front appFront
	}{
		"express, token in the session": {func(tb testing.TB) userApp { return expressUsers(tb, "session") }, appIPHash},
		"express, token in a cookie":    {func(tb testing.TB) userApp { return expressUsers(tb, "cookie") }, appCookie},
		"tomcat's form login":           {tomcatUsers, appCookie},
		"django's admin":                {djangoUsers, appIPHash},
		"like spring security":          {springUsers, appCookie},
	} {
		t.Run(name, func(t *testing.T) {
			users, f := of.start(t), of.front
			refused := users.behind(t, f, "", wrongPassword)
			for range 3 {
				judgeScenario(t, scenario{is: checks.Inconclusive, want: []string{"login_failing"}}, refused.probe())
			}
			if logins, _ := users.counts(t); logins != 1 {
				t.Errorf("the application was sent %d wrong passwords, want 1", logins)
			}
			a := users.behind(t, f, "", rightPassword) // as a reload of the changed file
			judgeScenario(t, scenario{is: checks.Healthy}, a.probe())
			await(t, "the logouts", func() bool { // a server may log a request after its answer
				_, logouts := users.counts(t)
				return logouts >= len(users.nodes)
			})
			if logins, logouts := users.counts(t); logins != 1+len(users.nodes) || logouts != len(users.nodes) {
				t.Errorf("got %d logins and %d logouts, want %d and %d", logins, logouts, 1+len(users.nodes), len(users.nodes))
			}
		})
	}
}

// TestUsersAreThrownOut: behind a balancer that scatters clients over nodes that do not share
// sessions, users who have logged in are sent to the login page.
func TestUsersAreThrownOut(t *testing.T) {
	users := expressUsers(t, "none")
	for _, f := range []appFront{appRoundRobin, appHAProxyRoundRobin} {
		for _, policy := range []probes.Policy{probes.PolicySticky, probes.PolicyShared} {
			t.Run(f.name+"/"+string(policy), func(t *testing.T) {
				report := users.behind(t, f, policy, rightPassword).probe()
				if report.Verdict != checks.Failing || !found(report, checks.SessionLost) && !found(report, checks.SessionDrift) || found(report, checks.LoginFailing) {
					t.Errorf("got %s, findings %v, want users who are thrown out", report.Verdict, report.Findings)
				}
			})
		}
	}
}

// TestUsersCannotLogIn: where the form has a token of its session, users behind such a balancer
// cannot even log in. The password is not blamed.
func TestUsersCannotLogIn(t *testing.T) {
	users := springUsers(t)
	for _, f := range []appFront{appRoundRobin, appHAProxyRoundRobin} {
		t.Run(f.name, func(t *testing.T) {
			report := users.behind(t, f, probes.PolicySticky, rightPassword).probe()
			if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool {
				return f.Code == checks.LoginFailing && f.Summary.ID == checks.MsgLoginScattered && f.Remedy.ID == checks.MsgMakeSticky
			}) {
				t.Errorf("got %s, findings %v, want a login that is scattered", report.Verdict, report.Findings)
			}
		})
	}
}

// TestSingleSession: an application that allows its users one session is watched with one, and
// its ends by later logins are no lost sessions.
func TestSingleSession(t *testing.T) {
	users := expressUsers(t, "none", "CURRENT="+filepath.Join(t.TempDir(), "current"))
	a := users.behind(t, appCookie, "", rightPassword)
	report := a.probe()
	judgeScenario(t, scenario{is: checks.Healthy}, report)
	if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Key() == "blind_spot/login" }) {
		t.Errorf("got findings %v, want one about a single session", report.Findings)
	}
}
