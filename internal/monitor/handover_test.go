package monitor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// A loginSite is an application with a login.
type loginSite struct {
	*probes.Cluster
	logins, logouts int
	onLogout        func(session string) // nil: nothing

	mu       sync.Mutex
	sessions map[string]bool // whether they are logged in
}

func newLoginSite(t *testing.T, method probes.Method) *loginSite {
	t.Helper()
	s := &loginSite{sessions: make(map[string]bool)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	extractor := func(spec extract.Spec) probes.Extractor {
		e, err := extract.New(spec)
		must.Succeed(t, err)
		return e
	}
	u, err := url.Parse(server.URL)
	must.Succeed(t, err)
	s.Cluster = &probes.Cluster{
		Name: "shop", Balancer: probes.Balancer{URLs: []*url.URL{u}, Method: method}, Nodes: []probes.Node{{ID: "n1", URL: u}},
		Limits: probes.Limits{Timeout: 10 * time.Second},
		Session: &probes.Session{
			Path: "/account", Policy: probes.PolicySticky, Cookie: "sid",
			Node: extractor(extract.Spec{Header: "X-Node"}), ID: extractor(extract.Spec{Cookie: "sid"}),
			Login: &probes.Login{
				Steps:    []probes.LoginStep{{Action: "/login", JSON: true, User: "u", Password: "p", UserField: "u", PasswordField: "p"}},
				LoggedIn: extractor(extract.Spec{CSS: "#user", Use: extract.Presence}), Logout: "/logout", PerHour: 100,
			},
		},
	}
	s.Limit(probes.Budget{RequestsPerSecond: 1000, Concurrent: 10})
	return s
}

func (s *loginSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Node", "n1")
	id := ""
	if cookie, err := r.Cookie("sid"); err == nil {
		id = cookie.Value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.sessions[id]; !known {
		id = fmt.Sprintf("session-%08d", len(s.sessions))
		s.sessions[id] = false
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
	}
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		s.logins++
		s.sessions[id] = true
	case r.URL.Path == "/logout":
		if s.logouts++; s.onLogout != nil {
			s.onLogout(id)
		}
		s.sessions[id] = false
	case r.URL.Path == "/account" && s.sessions[id]:
		fmt.Fprint(w, `<p id="user">u</p>`)
	case r.URL.Path == "/account":
		http.Redirect(w, r, "/login", http.StatusFound)
	}
}

// loggedIn returns how many sessions are logged in.
func (s *loginSite) loggedIn() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.sessions {
		if in {
			n++
		}
	}
	return n
}

// endAll ends the sessions.
func (s *loginSite) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.sessions {
		s.sessions[id] = false
	}
}

// A deafObserver observes nothing.
type deafObserver struct{}

func (deafObserver) Probed(Probe)             {}
func (deafObserver) Requested(checks.Request) {}
func (deafObserver) Judged(RoundResult)       {}

// watch returns a watcher that has taken a round.
func (s *loginSite) watch(t *testing.T) *Watcher {
	t.Helper()
	w := NewWatcher(s.Cluster, new(Prober), deafObserver{}, Intervals{})
	must.Succeed(t, w.TakeRound(t.Context()))
	if s.loggedIn() == 0 {
		t.Fatal("nobody is logged in")
	}
	return w
}

func closeWatcher(t *testing.T, w *Watcher) {
	t.Helper()
	must.Succeed(t, w.Close())
}

// TestHandOverLogsOutTheOthers: sessions that nobody continues are given up.
func TestHandOverLogsOutTheOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		method probes.Method
		change func(s *loginSite, w *Watcher) // after HandOver
		stay   bool                           // all are handed over
	}{
		"all are continued":             {method: probes.MethodCookie, stay: true},
		"they depend on the address":    {method: probes.MethodIPHash},
		"they are not stored":           {method: probes.MethodCookie, change: func(_ *loginSite, w *Watcher) { w.TakeBack() }},
		"the account has one at a time": {method: probes.MethodCookie, change: func(s *loginSite, _ *Watcher) { s.Session.Login.SetSingle() }},
	} {
		s := newLoginSite(t, tt.method)
		w := s.watch(t)
		before := s.loggedIn()
		w.HandOver()
		if tt.change != nil {
			tt.change(s, w)
		}
		closeWatcher(t, w)
		if after := s.loggedIn(); tt.stay && after != before || !tt.stay && after != 0 {
			t.Errorf("%s: %d of %d are logged in", name, after, before)
		}
	}
}

// TestSingleSessionIsNotHandedOver: where a login ends the session before, the next owner would end the one
// that it continues.
func TestSingleSessionIsNotHandedOver(t *testing.T) {
	s := newLoginSite(t, probes.MethodCookie)
	w := s.watch(t)
	if w.Canaries() == nil {
		t.Fatal("there are no canaries")
	}
	version := w.CanaryVersion()
	s.Session.Login.SetSingle()
	w.FollowUp(t.Context())
	if w.Canaries() != nil || w.CanaryVersion() == version {
		t.Error("they are handed over")
	}
	closeWatcher(t, w)
}

// TestSingleSessionBehindTwoAddresses: where a login ends the session before, one client logs in, whichever
// address it uses.
func TestSingleSessionBehindTwoAddresses(t *testing.T) {
	s := newLoginSite(t, probes.MethodCookie)
	other := httptest.NewServer(s)
	t.Cleanup(other.Close)
	s.Balancer.URLs = append(s.Balancer.URLs, must.URL(other.URL))
	s.Session.Login.SetSingle()
	w := s.watch(t)
	if s.logins != 1 {
		t.Errorf("got %d logins, want 1", s.logins)
	}
	closeWatcher(t, w)
}

// TestRefusedCanariesLogOut: the sessions that a new owner does not continue are given up.
func TestRefusedCanariesLogOut(t *testing.T) {
	s := newLoginSite(t, probes.MethodCookie)
	old := s.watch(t)
	canaries, theirs := old.Canaries(), s.loggedIn()
	old.HandOver()
	closeWatcher(t, old)
	w := NewWatcher(s.Cluster, new(Prober), deafObserver{}, Intervals{})
	if err := w.Continue(canaries, time.Now().Add(-24*time.Hour)); err != nil || w.Canaries() != nil {
		t.Fatalf("got %s, %v", w.Canaries(), err)
	}
	must.Succeed(t, w.TakeRound(t.Context()))
	if s.logouts != theirs {
		t.Errorf("got %d logouts of %d sessions", s.logouts, theirs)
	}
	closeWatcher(t, w)
	if n := s.loggedIn(); n != 0 {
		t.Errorf("%d are logged in", n)
	}
}

// TestLogoutOfReplacedCanaries: a canary that logs out is not handed over, and none logs out after HandOver.
func TestLogoutOfReplacedCanaries(t *testing.T) {
	s := newLoginSite(t, probes.MethodCookie)
	w := s.watch(t)
	s.onLogout = func(session string) {
		if strings.Contains(string(w.Canaries()), session) {
			t.Errorf("%s logs out and is handed over", session)
		}
	}
	s.endAll()
	if err := w.TakeRound(t.Context()); err != nil || s.logouts != 1 {
		t.Fatalf("got %d logouts, %v", s.logouts, err)
	}
	if err := w.TakeRound(t.Context()); err != nil { // opens another one
		t.Fatal(err)
	}
	s.endAll()
	w.observer = handingOver{w: w}
	_ = w.TakeRound(t.Context())
	if !w.handedOver.Load() || len(w.leaving) == 0 {
		t.Error("no canary was replaced meanwhile")
	}
	closeWatcher(t, w)
	if s.logouts != 1 {
		t.Errorf("%d log out after HandOver", s.logouts-1)
	}
}

// handingOver hands a watcher over while its round reports.
type handingOver struct {
	deafObserver
	w *Watcher
}

func (h handingOver) Probed(Probe) { h.w.HandOver() }

// TestDependsOnAddress: a session is continued from another machine only if the balancer recognises it
// by what the client presents.
func TestDependsOnAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		balancer probes.Balancer
		policy   probes.Policy
		key      string
		want     bool
	}{
		"client header":   {probes.Balancer{Method: probes.MethodIPHash}, probes.PolicySticky, "10.0.0.1", false},
		"address":         {probes.Balancer{Method: probes.MethodIPHash}, probes.PolicySticky, "", true},
		"source":          {probes.Balancer{Method: probes.MethodSource}, probes.PolicyReplicated, "", true},
		"unknown":         {probes.Balancer{Method: probes.MethodUnknown}, probes.PolicySticky, "", true},
		"shared":          {probes.Balancer{Method: probes.MethodUnknown}, probes.PolicyShared, "", false},
		"cookie":          {probes.Balancer{Method: probes.MethodCookie}, probes.PolicySticky, "", false},
		"hash of cookie":  {probes.Balancer{Method: probes.MethodHash, HashKey: "$cookie_user"}, probes.PolicySticky, "", false},
		"hash of address": {probes.Balancer{Method: probes.MethodHash, HashKey: "$remote_addr"}, probes.PolicySticky, "", true},
	} {
		c := &probes.Cluster{Balancer: tt.balancer, Session: &probes.Session{Policy: tt.policy}}
		expect.Equal(t, name, tt.want, dependsOnAddress(c, tt.key))
	}
}

// TestSkipCounterBase: a new client does not write the values of one that another process opened.
func TestSkipCounterBase(t *testing.T) {
	p := new(Prober)
	theirs := p.nextCounterBase() + 41000
	p.skipCounterBase(theirs)
	p.skipCounterBase(1000)
	if got := p.nextCounterBase(); got != theirs+1000 {
		t.Errorf("got %d after %d", got, theirs)
	}
}
