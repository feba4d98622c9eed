package checks_test

import (
	"net/http"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// forUsers is a healthy round of an application with a login: visitors get 401, and the traces
// are those of users.
func forUsers() *round {
	r := healthy()
	r.Cluster.Session.Login = &probes.Login{}
	for i := range r.Nodes {
		r.Nodes[i].Primary.Status, r.Nodes[i].Session.Status = http.StatusUnauthorized, http.StatusUnauthorized
	}
	for _, trace := range r.Traces {
		for i := range trace.Steps {
			trace.Steps[i].LoggedIn = probes.LoggedIn
		}
	}
	return r
}

// loginRefused is forUsers with visitors only, because the account is refused.
func loginRefused() *round {
	r := forUsers()
	for i := range r.Traces {
		r.Traces[i].Visitor = true
		for j := range r.Traces[i].Steps {
			r.Traces[i].Steps[j].LoggedIn = ""
		}
	}
	r.Login = probes.LoginStatus{
		LoginAttempt: probes.LoginAttempt{Problem: probes.LoginRefused, Exchange: page("/login", http.StatusOK)},
		Refusals:     1, Until: began.Add(time.Hour),
	}
	return r
}

// thrownOut is forUsers with a user who is sent to the login page with status.
func thrownOut(status int) func() *round {
	return from(forUsers, func(r *round) {
		last := &r.Traces[0].Steps[len(r.Traces[0].Steps)-1].Exchange
		last.Status, last.LoggedIn, last.Value = status, probes.LoggedOut, ""
	})
}

var loginSpecs = []spec{
	{name: "none: users are logged in, and visitors are turned away", round: forUsers},
	{name: "a user is sent to the login page", round: thrownOut(http.StatusOK), want: []string{"critical session_lost/node1"}},
	{name: "a user gets 401", round: thrownOut(http.StatusUnauthorized), want: []string{"critical session_lost/node1"}},
	{name: "the account is refused", round: loginRefused, want: []string{"warning login_failing"}},
	{
		name:  "the account is refused while users are still logged in",
		round: from(forUsers, func(r *round) { r.Login = loginRefused().Login }),
		want:  []string{"warning login_failing"},
	},
	{
		name:  "a login ends earlier sessions",
		round: from(forUsers, func(r *round) { r.Login.Single = true }),
		want:  []string{"info blind_spot/login"},
	},
	{
		name:  "none: visitors whose session differs are no lost users",
		round: from(loginRefused, func(r *round) { r.Login = probes.LoginStatus{}; r.Traces[0].Steps[1].Session = "s:0badc0de" }),
	},
}

// TestNobodyLoggedIn: without the session of a user the round is inconclusive, so that active
// findings about sessions stay.
func TestNobodyLoggedIn(t *testing.T) {
	held := func() *round { r := loginRefused(); r.Login = probes.LoginStatus{Held: true}; return r }
	for name, tc := range map[string]struct {
		round func() *round
		want  checks.Verdict
	}{
		"users": {forUsers, checks.Healthy}, "refused": {loginRefused, checks.Inconclusive}, "the limit": {held, checks.Inconclusive},
	} {
		if got := checks.Judge(tc.round().Round); got.Verdict != tc.want {
			t.Errorf("%s: got %s, doubts %v, want %s", name, got.Verdict, got.Doubts, tc.want)
		}
	}
}
