package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stickwatch/internal/expect"

	"github.com/google/go-cmp/cmp"
)

func TestCanary(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1")
	canary := openCanary(t, cluster, 1000)
	for range 2 {
		checkPresentable(t, canary.Write(t.Context()))
	}
	checkPresentable(t, canary.Follow(t.Context()))

	trace := canary.Trace()
	id := trace.First().Session
	type step struct {
		Kind    StepKind
		Counter int
		Label   string
		Session Fingerprint
		Value   string
		NewID   bool
	}
	var got []step
	for _, st := range trace.Steps {
		got = append(got, step{st.Kind, st.Counter, st.Label, st.Session, st.Value, st.NewID})
	}
	want := []step{
		{StepFirst, 0, "tomcat1", id, "", true},
		{StepWrite, 1001, "tomcat1", id, "1001", false},
		{StepWrite, 1002, "tomcat1", id, "1002", false},
		{StepFollow, 1002, "tomcat1", id, "1002", false},
	}
	expect.Equal(t, "steps", want, got)
	if lastOutcome(canary) != SessionKept || trace.Base != 1000 || trace.Balancer.String() != cluster.Nodes[0].URL.Host {
		t.Errorf("got outcome %q, base %d, balancer %s", lastOutcome(canary), trace.Base, trace.Balancer)
	}
	if id != FingerprintOf(secretID+"000000000000000001") {
		t.Errorf("got session %q, want the fingerprint of the id without its route", id)
	}
	canary.Follow(t.Context())
	canary.Disregard(trace.First().At)
	if len(trace.Steps) != len(want) || len(canary.Trace().Steps) != len(want)+1 {
		t.Errorf("after one more request, the trace has %d steps, and a new one %d", len(trace.Steps), len(canary.Trace().Steps))
	}
}

// TestFollowUpsAreIndependent: a follow-up that receives a new session does not change
// the cookies of the next one.
func TestFollowUpsAreIndependent(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())

	s.mu.Lock()
	forgotten := s.sessions
	s.sessions = nil
	s.mu.Unlock()
	canary.Follow(t.Context())
	expect.Equal(t, "forgotten", SessionLost, lastOutcome(canary))
	s.mu.Lock()
	s.sessions = forgotten
	s.mu.Unlock()
	canary.Follow(t.Context())
	expect.Equal(t, "remembered", SessionKept, lastOutcome(canary))
}

func TestCheckFailover(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2", "tomcat3")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	id := canary.First().Session

	list := canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:])
	for i, c := range list {
		checkPresentable(t, c.There)
		if c.From != "tomcat1" || c.To != cluster.Nodes[i+1].ID || c.There.Label != c.To || c.Session != id || c.SessionOutcome() != SessionKept {
			t.Errorf("got %s to %s: %q at %q", c.From, c.To, c.SessionOutcome(), c.There.Label)
		}
	}
	if len(list) != 2 {
		t.Errorf("got %d failover checks, want 2", len(list))
	}
	// The session is back on its node, and the canary knows its new id.
	if ex := canary.Follow(t.Context()); ex.Label != "tomcat1" || ex.NewID || lastOutcome(canary) != SessionKept {
		t.Errorf("afterwards: got %q at %q, new id %v", lastOutcome(canary), ex.Label, ex.NewID)
	}
}

// TestCheckFailoverKeepsSession: answers of nodes that do not know the session, or are
// broken, do not change the canary's cookies.
func TestCheckFailoverKeepsSession(t *testing.T) {
	s := &tomcats{unreachable: map[string]bool{"tomcat2": true}, broken: map[string]bool{"tomcat3": true}}
	cluster := s.site(t, "tomcat1", "tomcat2", "tomcat3")
	cluster.Nodes = append(cluster.Nodes, Node{ID: "tomcat4", URL: closed(t)})
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	var got []SessionOutcome
	for _, c := range canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:]) {
		got = append(got, c.SessionOutcome())
	}
	expect.Equal(t, "outcomes", []SessionOutcome{SessionLost, SessionUnknown, SessionUnknown}, got)
	canary.Follow(t.Context())
	expect.Equal(t, "afterwards", SessionKept, lastOutcome(canary))
}

// TestCheckFailoverOfBoundSessions: nodes that delete a session which is presented directly say
// nothing about other nodes, and the canary does not continue with it.
func TestCheckFailoverOfBoundSessions(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	s.forget()
	for _, c := range canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:]) {
		if c.SessionOutcome() != SessionUnknown || !c.Void {
			t.Errorf("got outcome %q, void %v, want unknown and void", c.SessionOutcome(), c.Void)
		}
	}
	if canary.StartNextRound() {
		t.Error("the canary continues with a session that the check may have ended")
	}
}

// TestCheckFailoverBehindPrefix: the balancer serves the application under /app, whose
// cookies a browser would not send to the paths of the nodes.
func TestCheckFailoverBehindPrefix(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	u := s.node(t, "tomcat1", "/app")
	u.Path = "/app"
	cluster.Balancer.URLs = []*url.URL{u}
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	for _, c := range canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:]) {
		if c.SessionOutcome() != SessionKept {
			t.Errorf("got %q, want %q", c.SessionOutcome(), SessionKept)
		}
	}
	if ex := canary.Follow(t.Context()); lastOutcome(canary) != SessionKept || ex.NewID {
		t.Errorf("afterwards: got %q, new id %v", lastOutcome(canary), ex.NewID)
	}
}

// TestSessionAfterLostAnswer: a value whose answer was lost may be stored or not; one
// that was refused is not.
func TestSessionAfterLostAnswer(t *testing.T) {
	for name, fail := range map[string]func(*http.Request) (stored bool){
		"answer lost": func(*http.Request) bool { return true },
		"not taken":   func(*http.Request) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			value := ""
			u := web(t, func(w http.ResponseWriter, r *http.Request) {
				v := r.FormValue("key1")
				switch {
				case v == "1002":
					if fail(r) {
						value = v
					}
					panic(http.ErrAbortHandler)
				case v != "":
					value = v
				}
				http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "one"})
				fmt.Fprint(w, "key1="+value)
			})
			cluster := &Cluster{Session: tomcatSession, Limits: Limits{Timeout: ample}}
			cluster.Balancer.URLs = []*url.URL{u}
			canary := openCanary(t, cluster, 1000)
			canary.Write(t.Context())
			if ex := canary.Write(t.Context()); ex.Failure != FailureReset {
				t.Fatalf("second write: got %q, want %q", ex.Failure, FailureReset)
			}
			if canary.Follow(t.Context()); lastOutcome(canary) != SessionKept {
				t.Errorf("got %q, want %q", lastOutcome(canary), SessionKept)
			}
		})
	}
}

// TestWriteUnsupported: an application without the page stores nothing, so nothing can
// be lost.
func TestWriteUnsupported(t *testing.T) {
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("key1") != "" {
			http.NotFound(w, r)
			return
		}
		if _, err := r.Cookie("JSESSIONID"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "one.tomcat1"})
		}
	})
	cluster := &Cluster{Session: tomcatSession, Limits: Limits{Timeout: ample}}
	cluster.Balancer.URLs = []*url.URL{u}
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	if canary.Follow(t.Context()); lastOutcome(canary) != SessionKept {
		t.Errorf("got %q, want %q by the id", lastOutcome(canary), SessionKept)
	}

	cluster.Session = nil
	if ex := openCanary(t, cluster, 0).Write(t.Context()); ex.Answered() {
		t.Errorf("got %+v without a session test, want no request", ex)
	}
}

// TestCanaryConcurrently is for the race detector.
func TestCanaryConcurrently(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { canary.Follow(t.Context()) })
		wg.Go(func() { canary.Trace() })
	}
	wg.Go(func() { canary.Write(t.Context()) })
	wg.Wait()
	trace := canary.Trace()
	for i, step := range trace.Steps {
		if step.Kind == StepFollow && trace.SessionOutcome(i) != SessionKept {
			t.Errorf("step %d: got %q with value %q for counter %d, want %q", i, trace.SessionOutcome(i), step.Value, step.Counter, SessionKept)
		}
	}
	wg.Go(func() { canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:]) })
	wg.Go(func() { canary.Follow(t.Context()) })
	wg.Wait()
}

// TestKeyReachesTheBalancer: each step presents the same client.
func TestKeyReachesTheBalancer(t *testing.T) {
	var keys []string
	u := web(t, func(_ http.ResponseWriter, r *http.Request) { keys = append(keys, r.Header.Get("X-Stickwatch-Client")) })
	cluster := &Cluster{
		Session: &Session{Path: "/"}, Limits: Limits{Timeout: ample},
		Balancer: Balancer{URLs: []*url.URL{u}, Method: MethodIPHash, ClientIPHeader: "X-Stickwatch-Client"},
	}
	canary := NewCanary(cluster, Resolve(t.Context(), cluster)[0], "10.0.1.1", "tomcat1", 0)
	canary.Open(t.Context())
	canary.Follow(t.Context())
	expect.Equal(t, "keys", "10.0.1.1 10.0.1.1", strings.Join(keys, " "))
	if w := canary.Trace(); w.Client != "10.0.1.1" || w.TargetNode != "tomcat1" {
		t.Errorf("got client %q, expected %q", w.Client, w.TargetNode)
	}
}

func TestKeyHeader(t *testing.T) {
	const real = "X-Real"
	for _, tt := range []struct {
		method  Method
		hashKey string
		want    string
	}{
		{MethodIPHash, "", real},
		{MethodRoundRobin, "", real},
		{MethodHash, "", real},
		{MethodHash, "$remote_addr", real},
		{MethodHash, "$http_x_user", "x-user"},
		{MethodHash, "$cookie_user", ""},
		{MethodIPHash, "$http_x_user", real},
	} {
		b := Balancer{Method: tt.method, HashKey: tt.hashKey, ClientIPHeader: real}
		if got := b.KeyHeader(); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.hashKey, got, tt.want)
		}
	}
}

// TestStartNextRound: a canary starts each round with its last answer, and still knows
// what its session should contain.
func TestStartNextRound(t *testing.T) {
	s := &tomcats{}
	canary := openCanary(t, s.site(t, "tomcat1"), 1000)
	canary.Write(t.Context())
	canary.Return(t.Context())
	if !canary.StartNextRound() {
		t.Fatal("a session that was kept is no more")
	}
	if w := canary.Trace(); !w.Continued || len(w.Steps) != 1 || w.First().Session == "" {
		t.Errorf("got %d steps, continued %v, session %q", len(w.Steps), w.Continued, w.First().Session)
	}
	canary.Return(t.Context())
	expect.Equal(t, "in the next round", SessionKept, lastOutcome(canary))

	s.forget()
	canary.Return(t.Context())
	if canary.StartNextRound() {
		t.Error("a lost session continues")
	}
}

// part returns the extractor of one of three parts of a page, which commas separate.
func part(i int) Extractor {
	return extractorFunc(func(doc Document) string {
		parts := strings.Split(string(doc.Body), ",")
		if len(parts) < 3 {
			return ""
		}
		return parts[i]
	})
}

// TestErrorPageWith200: an error page with 200 neither stores a value nor has the session.
func TestErrorPageWith200(t *testing.T) {
	var broken atomic.Bool
	value := ""
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			fmt.Fprint(w, "something went wrong")
			return
		}
		if set := r.FormValue("set"); set != "" {
			value = set
		}
		fmt.Fprint(w, "node1,"+secretID+","+value)
	})
	canary := openCanary(t, &Cluster{
		Balancer: Balancer{URLs: []*url.URL{u}}, Limits: Limits{Timeout: ample},
		Session: &Session{Path: "/page", Policy: PolicySticky, Node: part(0), ID: part(1), Read: part(2), Write: "/page?set={value}"},
	}, 1000)
	canary.Write(t.Context())
	broken.Store(true)
	for range 2 {
		canary.Write(t.Context())
		canary.Return(t.Context())
		if !canary.StartNextRound() {
			t.Fatal("the session is given up")
		}
	}
	if first := canary.First(); first.Label != "node1" || first.Session == "" {
		t.Errorf("the next round begins with the answer of %q with the session %q", first.Label, first.Session)
	}
	broken.Store(false)
	canary.Return(t.Context())
	expect.Equal(t, "afterwards", SessionKept, lastOutcome(canary))
}

// TestOwnerOfAValue: a value that another node stored is not missed at the owner.
func TestOwnerOfAValue(t *testing.T) {
	s := &tomcats{}
	site := s.site(t, "tomcat1")
	canary := openCanary(t, site, 1000)
	canary.Write(t.Context())
	if check := canary.CheckOwner(t.Context(), site.Nodes[0]); check.Counter != 1001 {
		t.Errorf("stored at the owner: the check expects %d, want 1001", check.Counter)
	}
	canary.trace.OpenerLabel = "tomcat2"
	if check := canary.CheckOwner(t.Context(), site.Nodes[0]); check.Counter != 0 {
		t.Errorf("stored elsewhere: the check expects %d, want nothing", check.Counter)
	}
}

// TestOwnerWithoutCookie: a client whose session cookie never came back does not show that its node
// has lost the session.
func TestOwnerWithoutCookie(t *testing.T) {
	s := &tomcats{}
	site := s.site(t, "tomcat1")
	session := *site.Session
	session.Cookie, site.Session = "another", &session
	canary := openCanary(t, site, 1000)
	if check := canary.CheckOwner(t.Context(), site.Nodes[0]); !check.Void || check.SessionOutcome() != SessionUnknown {
		t.Errorf("got %q, want a check that shows nothing", check.SessionOutcome())
	}
}

// TestOwnerOfAValueWithoutLabel: if the answer to the write does not name its node, the first
// answer that shows the value does.
func TestOwnerOfAValueWithoutLabel(t *testing.T) {
	var value atomic.Value
	value.Store("")
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if set := r.FormValue("set"); set != "" {
			value.Store(set)
			fmt.Fprint(w, "ok")
			return
		}
		fmt.Fprint(w, "node1,"+secretID+","+value.Load().(string))
	})
	node := Node{ID: "node1", URL: u}
	canary := openCanary(t, &Cluster{
		Balancer: Balancer{URLs: []*url.URL{u}}, Limits: Limits{Timeout: ample}, Nodes: []Node{node},
		Session: &Session{Path: "/page", Policy: PolicySticky, Node: part(0), ID: part(1), Read: part(2), Write: "/save?set={value}"},
	}, 1000)
	canary.Write(t.Context())
	if check := canary.CheckOwner(t.Context(), node); check.Counter != 0 {
		t.Errorf("before an answer shows the value, the check expects %d, want nothing", check.Counter)
	}
	canary.Return(t.Context())
	if got := lastOutcome(canary); got != SessionKept {
		t.Fatalf("got %q, want %q", got, SessionKept)
	}
	value.Store("")
	if check := canary.CheckOwner(t.Context(), node); check.Counter != 1001 || check.SessionOutcome() != SessionLost {
		t.Errorf("the node forgot the value: the check expects %d and finds %q, want 1001 and %q", check.Counter, check.SessionOutcome(), SessionLost)
	}
}

// tomcats are nodes that share their sessions, as Tomcat with DeltaManager and
// JvmRouteBinderValve does: the requested node takes over the session and changes its
// route. The earlier id is then unknown.
type tomcats struct {
	mu          sync.Mutex
	sessions    map[string]*tomcatEntry // by id without route
	opened      int
	unreachable map[string]bool // nodes that know only their own sessions
	broken      map[string]bool // nodes that answer 500 with a new session cookie
	behind      map[string]bool // nodes that do not have the last write yet
}

type tomcatEntry struct{ route, value string }

// secretID is the beginning of all session ids, which must not be shown.
const secretID = "5E55104D5EC2E7"

// forget deletes all sessions.
func (tomcats *tomcats) forget() {
	tomcats.mu.Lock()
	defer tomcats.mu.Unlock()
	tomcats.sessions = nil
}

// node serves the node of that name, with its application under prefix.
func (tomcats *tomcats) node(t testing.TB, name, prefix string) *url.URL {
	return web(t, func(w http.ResponseWriter, r *http.Request) {
		tomcats.mu.Lock()
		defer tomcats.mu.Unlock()
		id, entry := tomcats.find(r, name)
		if tomcats.broken[name] {
			id, entry = tomcats.open(name)
		}
		if entry == nil {
			id, entry = tomcats.open(name)
		}
		if c, err := r.Cookie("JSESSIONID"); err != nil || c.Value != id+"."+name {
			entry.route = name
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id + "." + name, Path: prefix + "/cluster", HttpOnly: true})
		}
		if tomcats.broken[name] {
			w.WriteHeader(http.StatusInternalServerError)
		}
		if v := r.FormValue("key1"); v != "" {
			entry.value = v
		}
		value := entry.value
		if n, err := strconv.Atoi(value); err == nil && tomcats.behind[name] {
			value = strconv.Itoa(n - 1)
		}
		if value != "" {
			fmt.Fprintf(w, "key1=%s", value)
		}
	})
}

func (t *tomcats) find(r *http.Request, node string) (string, *tomcatEntry) {
	c, err := r.Cookie("JSESSIONID")
	if err != nil {
		return "", nil
	}
	id, route, _ := strings.Cut(c.Value, ".")
	entry := t.sessions[id]
	if entry == nil || entry.route != route || t.unreachable[node] && entry.route != node {
		return "", nil
	}
	return id, entry
}

func (t *tomcats) open(node string) (string, *tomcatEntry) {
	if t.sessions == nil {
		t.sessions = make(map[string]*tomcatEntry)
	}
	t.opened++
	id := fmt.Sprintf("%s%018d", secretID, t.opened)
	t.sessions[id] = &tomcatEntry{route: node}
	return id, t.sessions[id]
}

// site returns a cluster of new nodes. Its balancer sends all clients to the first.
func (tomcats *tomcats) site(t testing.TB, names ...string) *Cluster {
	c := &Cluster{Name: "shop", Session: tomcatSession, Limits: Limits{Timeout: ample}}
	for _, name := range names {
		c.Nodes = append(c.Nodes, Node{ID: name, URL: tomcats.node(t, name, "")})
	}
	c.Balancer.URLs = []*url.URL{c.Nodes[0].URL}
	return c
}

// TestCookieEnds tests that a request without the session cookie, which has ended as the
// application wanted, is no evidence about the session, and ends the canary.
func TestCookieEnds(t *testing.T) {
	cluster := (&tomcats{}).site(t, "tomcat1")
	for name, request := range map[string]func(*Canary) Exchange{
		"return": func(c *Canary) Exchange { return c.Return(t.Context()) },
		"write":  func(c *Canary) Exchange { return c.Write(t.Context()) },
	} {
		canary := openCanary(t, cluster, 0)
		canary.Write(t.Context())
		end := time.Now().Add(-time.Second)
		for i := range canary.jar.contents {
			canary.jar.contents[i].set, canary.jar.contents[i].cookie.Expires = end.Add(-time.Minute), end
		}
		canary.jar = canary.jar.clone()
		ex := request(canary)
		want := []RejectedCookie{{Name: "JSESSIONID", Rule: CookieEnded, Life: time.Minute}}
		if diff := cmp.Diff(want, ex.Rejected); diff != "" || !ex.NewID {
			t.Errorf("%s: new id %v; rejected cookies (-want +got):\n%s", name, ex.NewID, diff)
		}
		if got := lastOutcome(canary); got != SessionUnknown {
			t.Errorf("%s: got outcome %q, want unknown", name, got)
		}
		if name == "return" && canary.StartNextRound() {
			t.Errorf("%s: the canary continues without its session", name)
		}
	}
}

// TestOtherCookieEnds tests that a cookie that ends says nothing while another one may hold the session.
func TestOtherCookieEnds(t *testing.T) {
	now, page := time.Now(), &url.URL{Scheme: "http", Host: "shop.example", Path: "/"}
	cookie := func(name string, expires time.Time) jarCookie {
		return jarCookie{page, &http.Cookie{Name: name, Value: "1", Expires: expires}, now.Add(-time.Minute)}
	}
	ended := cookie("sid", now.Add(-time.Second))
	for want, others := range [][]jarCookie{{cookie("PHPSESSID", time.Time{})}, {cookie("theme", time.Time{})}} {
		jar := &Jar{contents: append(others, ended)}
		if got := len(jar.ended(now, &Session{})); got != want {
			t.Errorf("beside %s: got %d ended cookies, want %d", others[0].cookie.Name, got, want)
		}
	}
}

// openCanary opens a canary at the balancer of c.
func openCanary(t testing.TB, c *Cluster, base int) *Canary {
	t.Helper()
	frontends := Resolve(t.Context(), c)
	if len(frontends) != 1 {
		t.Fatalf("got %d frontends, want 1", len(frontends))
	}
	canary := NewCanary(c, frontends[0], "", "", base)
	checkPresentable(t, canary.Open(t.Context()))
	return canary
}

// lastOutcome returns the session outcome of the last step.
func lastOutcome(c *Canary) SessionOutcome {
	w := c.Trace()
	return w.SessionOutcome(len(w.Steps) - 1)
}
