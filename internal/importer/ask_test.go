package importer

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"stickwatch/internal/phrase"
)

// pages are the answers of a node by path. A page may begin with a line "Set-Cookie:
// ...". Other paths answer 404.
type pages map[string]string

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := p[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if cookie, rest, ok := strings.Cut(body, "\n"); ok && strings.HasPrefix(cookie, "Set-Cookie: ") {
		w.Header().Set("Set-Cookie", strings.TrimPrefix(cookie, "Set-Cookie: "))
		body = rest
	}
	_, _ = io.WriteString(w, body)
}

const (
	tomcatCookie = "Set-Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF.tomcat1; Path=/\n"
	msmCookie    = "Set-Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF-n1.tomcat1; Path=/\n"
	paused       = `{"version":"11","state":"paused","reason":"DB Service","main":{"pid":900,"up_since":"2018-4-18 02:12:42"}}`
)

// applications are nodes with the profile that must be recognised.
var applications = []struct {
	name  string
	pages pages

	profile string
	session string // path
	says    string // in the file
	status  bool
	guessed bool
}{
	{
		name:    "e-Bridge",
		pages:   pages{"/main/base/cluster/test": "<table><tr><td>当前节点（node）</td><td>node1</td></tr></table>"},
		profile: "ebridge", session: "/main/base/cluster/test",
	},
	{
		name:    "Strategy, paused",
		pages:   pages{"/status": paused},
		profile: "strategy-collaboration", session: "/status", status: true,
	},
	{
		name:    "Tomcat",
		pages:   pages{"/cluster/index.jsp": tomcatCookie + "hello", "/": "it works"},
		profile: "tomcat", session: "/cluster/index.jsp",
	},
	{
		name:    "Tomcat with memcached",
		pages:   pages{"/index.jsp": msmCookie + "hello"},
		profile: "tomcat-msm", session: "/index.jsp",
	},
	{
		name:    "generic",
		pages:   pages{"/cluster/test": `{"node":"node1","session":"abc"}`, "/status": `{"state":"running"}`},
		profile: "generic", session: "/cluster/test", status: true,
	},
	{
		name:    "generic without a status",
		pages:   pages{"/cluster/test": `{"node":"node1","session":"abc"}`},
		profile: "generic", session: "/cluster/test",
	},
	{
		name:    "a status alone",
		pages:   pages{"/status": `{"state":"running"}`},
		profile: "generic", status: true, guessed: true,
	},
	{
		name:    "some PHP",
		pages:   pages{"/": "Set-Cookie: PHPSESSID=secret; Path=/\nhello"},
		profile: "php", session: "/", guessed: true, says: `write: ""`,
	},
	{
		name:    "some servlet with a route",
		pages:   pages{"/": tomcatCookie + "hello"},
		profile: "tomcat-sticky", session: "/", guessed: true, says: `write: ""`,
	},
	{
		name:    "nothing",
		profile: "generic", guessed: true,
	},
}

func TestAsk(t *testing.T) {
	for _, a := range applications {
		t.Run(a.name, func(t *testing.T) {
			one, two := httptest.NewServer(a.pages), httptest.NewServer(a.pages)
			defer one.Close()
			defer two.Close()
			s := flagged(t, config.Flags{
				Balancer: []string{one.URL},
				Nodes:    []string{"node1=" + one.URL, "node2=" + two.URL},
				Method:   "cookie",
			})
			s.Ask(t.Context())
			got := clusterOf(t, s)
			expect.Equal(t, "profile", a.profile, got.Profile)
			path := ""
			if got.Session != nil {
				path = got.Session.Path
			}
			if path != a.session || (got.Status != nil) != a.status {
				t.Errorf("got session %q, status %v; want %q, %v", path, got.Status != nil, a.session, a.status)
			}
			if text, err := s.YAML(phrase.Reader{}); err != nil || !strings.Contains(string(text), a.says) {
				t.Errorf("got %v and\n%s\nwant it to say %s", err, text, a.says)
			}
			guessed := slices.ContainsFunc(s.Guesses(phrase.Reader{}), func(g string) bool { return strings.Contains(g, ": profile: ") })
			if guessed != a.guessed {
				t.Errorf("got guesses %q, want one of the profile: %v", s.Guesses(phrase.Reader{}), a.guessed)
			}
			if len(s.Notes(phrase.Reader{})) > 0 {
				t.Errorf("got notes %q, want none", s.Notes(phrase.Reader{}))
			}
		})
	}
}

// TestAskWithNodesDown checks that nodes without a valid answer are noted, and do not
// hide the answers of others.
func TestAskWithNodesDown(t *testing.T) {
	well := httptest.NewServer(applications[0].pages)
	defer well.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	down := httptest.NewServer(nil)
	down.Close()
	s := flagged(t, config.Flags{
		Balancer: []string{well.URL, down.URL},
		Nodes:    []string{"node1=" + down.URL, "node2=" + broken.URL, "node3=" + well.URL},
	})
	s.Ask(t.Context())
	expect.Equal(t, "profile", "ebridge", clusterOf(t, s).Profile)
	name, noAnswer := strings.TrimPrefix(well.URL, "http://"), strings.TrimPrefix(down.URL, "http://")
	want := []string{
		name + ": the balancer's address " + down.URL + " does not answer from here: dial tcp " + noAnswer + ": connect: connection refused",
		name + ": node1 does not answer: " + noAnswer + ": connection refused",
		name + ": node2 does not answer: HTTP 502",
	}
	expect.Equal(t, "notes", want, s.Notes(phrase.Reader{}))
	want = []string{name + ": profile: asked directly, node3 of 3 nodes answer so: /main/base/cluster/test names its node"}
	expect.Equal(t, "guesses", want, s.Guesses(phrase.Reader{}))
}

// TestAskWithAProfile checks that a requested profile is written, with a note where the
// nodes contradict it.
func TestAskWithAProfile(t *testing.T) {
	node := httptest.NewServer(applications[0].pages)
	defer node.Close()
	s := flagged(t, config.Flags{Balancer: []string{node.URL}, Nodes: []string{"a=" + node.URL}, Profile: "tomcat", Method: "ip_hash"})
	s.Ask(t.Context())
	expect.Equal(t, "profile", "tomcat", clusterOf(t, s).Profile)
	if got := s.Guesses(phrase.Reader{}); len(got) != 1 || !strings.Contains(got[0], "although the nodes look like ebridge") {
		t.Errorf("got guesses %q, want a doubt", got)
	}
}

// TestHintsAgainstAnswers checks that a hint of the file is used only until a node
// answers that would have confirmed it.
func TestHintsAgainstAnswers(t *testing.T) {
	answered := []answer{{node: "node1"}}
	mute := []answer{{node: "node1", failure: phrase.New("connection refused")}}
	for _, test := range []struct {
		hint    string
		answers []answer
		want    string
	}{
		{"tomcat", nil, "tomcat"},
		{"tomcat", mute, "tomcat"},
		{"tomcat", answered, ""},
		{"huozige", answered, "huozige"}, // the profile cannot be recognised by answers
		{"", nil, ""},
	} {
		c := &candidate{upstream: new(upstream), hint: hint{test.hint, phrase.New("so")}, answers: test.answers}
		if got := c.application().profile; got != test.want {
			t.Errorf("hint %q, answers %v: got %q, want %q", test.hint, test.answers, got, test.want)
		}
	}
}

// TestSessionsStaySecret checks that no session id gets into the file or the notes.
func TestSessionsStaySecret(t *testing.T) {
	for _, a := range applications {
		node := httptest.NewServer(a.pages)
		s := flagged(t, config.Flags{Balancer: []string{node.URL}, Nodes: []string{"a=" + node.URL}})
		s.Ask(t.Context())
		node.Close()
		text, err := s.YAML(phrase.Reader{})
		must.Succeed(t, err)
		all := string(text) + strings.Join(s.Notes(phrase.Reader{}), "\n") + strings.Join(s.Guesses(phrase.Reader{}), "\n")
		for _, secret := range []string{"0123456789ABCDEF", "=secret"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: %q is in\n%s", a.name, secret, all)
			}
		}
	}
}

// TestAskSilentSource: a DNS server that gives no list is named, and the cluster is written
// with its guesses.
func TestAskSilentSource(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must.Succeed(t, err)
	silent := conn.LocalAddr().String()
	conn.Close()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := "defaults\n mode http\nresolvers lab\n nameserver lab " + silent +
		"\nlisten shop\n bind 127.0.0.1:1\n server-template web 3 app.lab:8080 resolvers lab\n"
	must.Succeed(t, os.WriteFile(file, []byte(text), 0o600))
	found, err := Read(HAProxy, file, Options{})
	must.Succeed(t, err)
	found.Ask(t.Context())
	if notes := strings.Join(found.Notes(phrase.Reader{}), "\n"); !strings.Contains(notes, "shop: its nodes are not known: asking "+silent) {
		t.Errorf("got notes\n%s", notes)
	}
	if guesses := strings.Join(found.Guesses(phrase.Reader{}), "\n"); !strings.Contains(guesses, "takes servers from the name app.lab:8080 in DNS") {
		t.Errorf("got guesses\n%s", guesses)
	}
}

func flagged(t *testing.T, f config.Flags) *Import {
	t.Helper()
	s, err := FromFlags(f)
	must.Succeed(t, err)
	return s
}

// clusterOf returns the only cluster of the file.
func clusterOf(t *testing.T, s *Import) *probes.Cluster {
	t.Helper()
	text, err := s.YAML(phrase.Reader{})
	must.Succeed(t, err)
	cfg, err := config.Parse("stickwatch.yml", text, func(string) (string, bool) { return "", false })
	must.Succeed(t, err)
	if len(cfg.Clusters) != 1 {
		t.Fatalf("got %d clusters, want 1:\n%s", len(cfg.Clusters), text)
	}
	return cfg.Clusters[0]
}
