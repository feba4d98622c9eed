package importer

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"stickwatch/internal/must"
	"stickwatch/probes"

	"stickwatch/internal/phrase"
)

// A store has the values of sessions by their ids.
type store struct{ sync.Map }

// A testApp is an application with a page that shows its node and a session.
type testApp struct {
	name     string
	path     string // of the page
	cookie   string
	sessions *store
	forgets  bool // does not show stored values
	accepts  bool // opens a session under any id, as PHP does
}

func (a testApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != a.path {
		http.NotFound(w, r)
		return
	}
	id := ""
	if c, err := r.Cookie(a.cookie); err == nil {
		if _, known := a.sessions.Load(c.Value); known || a.accepts {
			id = c.Value
		}
	}
	if id == "" {
		id = rand.Text()
		http.SetCookie(w, &http.Cookie{Name: a.cookie, Value: id, Path: "/"})
	}
	value, _ := a.sessions.LoadOrStore(id, "")
	if set := r.URL.Query().Get("set"); set != "" && !a.forgets {
		value = set
		a.sessions.Store(id, set)
	}
	fmt.Fprintf(w, `{"node": %q, "session": %q, "value": %q}`, a.name, id, value)
}

// TestTrials imports a file of HAProxy whose nodes have names and sessions of their own.
func TestTrials(t *testing.T) {
	const sticky, roundRobin = "cookie SRV insert", "balance roundrobin"
	one, other := new(store), new(store)
	for _, test := range []struct {
		name    string
		nodes   [2]testApp
		balance string

		ids     [2]string
		session probes.Session // path, policy and write
		says    string         // in the file
	}{
		{
			name:    "sticky balancer, sessions of its own",
			nodes:   [2]testApp{{name: "app-1", path: "/stickwatch-test", cookie: "connect.sid", sessions: one}, {name: "app-2", path: "/stickwatch-test", cookie: "connect.sid", sessions: other}},
			balance: sticky, ids: [2]string{"app-1", "app-2"},
			session: probes.Session{Path: "/stickwatch-test", Policy: probes.PolicySticky, Write: "/stickwatch-test?set={value}"},
			says:    "# tried: app-2 does not know a session of app-1\n",
		},
		{
			name:    "sticky balancer, one store",
			nodes:   [2]testApp{{name: "app-1", path: "/stickwatch-test", cookie: "connect.sid", sessions: one}, {name: "app-2", path: "/stickwatch-test", cookie: "connect.sid", sessions: one}},
			balance: sticky, ids: [2]string{"app-1", "app-2"},
			session: probes.Session{Path: "/stickwatch-test", Policy: probes.PolicyReplicated, Write: "/stickwatch-test?set={value}"},
			says:    "# tried: app-2 knows a session of app-1\n",
		},
		{
			name:    "one store of PHP",
			nodes:   [2]testApp{{name: "app-1", path: "/stickwatch-test.php", cookie: "PHPSESSID", sessions: one, accepts: true}, {name: "app-2", path: "/stickwatch-test.php", cookie: "PHPSESSID", sessions: one, accepts: true}},
			balance: roundRobin, ids: [2]string{"app-1", "app-2"},
			session: probes.Session{Path: "/stickwatch-test.php", Policy: probes.PolicyShared, Write: "/stickwatch-test.php?set={value}"},
			says:    "# tried: app-2 knows a session of app-1\n",
		},
		{
			name:    "any id is accepted, and no value is stored",
			nodes:   [2]testApp{{name: "app-1", path: "/stickwatch-test.php", cookie: "PHPSESSID", sessions: one, accepts: true, forgets: true}, {name: "app-2", path: "/stickwatch-test.php", cookie: "PHPSESSID", sessions: other, accepts: true, forgets: true}},
			balance: sticky, ids: [2]string{"app-1", "app-2"},
			session: probes.Session{Path: "/stickwatch-test.php", Policy: probes.PolicySticky},
			says:    "# tried: the page does not show a value that it was to store\n",
		},
		{
			name:    "round robin, sessions of its own",
			nodes:   [2]testApp{{name: "app-1", path: "/stickwatch-test", cookie: "sid", sessions: one}, {name: "app-2", path: "/stickwatch-test", cookie: "sid", sessions: other}},
			balance: roundRobin, ids: [2]string{"app-1", "app-2"},
			session: probes.Session{Path: "/stickwatch-test", Policy: probes.PolicyShared, Write: "/stickwatch-test?set={value}"},
			says:    "profile: test-page\n",
		},
		{
			name:    "the page of generic with a counter, and one name for both",
			nodes:   [2]testApp{{name: "app", path: "/cluster/test", cookie: "sid", sessions: one}, {name: "app", path: "/cluster/test", cookie: "sid", sessions: one}},
			balance: roundRobin, ids: [2]string{"web1", "web2"},
			session: probes.Session{Path: "/cluster/test", Policy: probes.PolicyShared, Write: "/cluster/test?set={value}"},
			says:    "read: {labels: [value]}\n",
		},
		{
			name:    "names that change with each start",
			nodes:   [2]testApp{{name: "3f5a9c0d1e2b", path: "/stickwatch-test", cookie: "sessionid", sessions: one}, {name: "4f5a9c0d1e2b", path: "/stickwatch-test", cookie: "sessionid", sessions: one}},
			balance: sticky, ids: [2]string{"web1", "web2"},
			session: probes.Session{Path: "/stickwatch-test", Policy: probes.PolicyReplicated, Write: "/stickwatch-test?set={value}"},
			says:    "profile: django\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var file strings.Builder
			file.WriteString("defaults\n mode http\nlisten shop\n bind 127.0.0.1:80\n " + test.balance + "\n")
			for i, app := range test.nodes {
				node := httptest.NewServer(app)
				defer node.Close()
				fmt.Fprintf(&file, " server web%d %s\n", i+1, strings.TrimPrefix(node.URL, "http://"))
			}
			name := filepath.Join(t.TempDir(), "haproxy.cfg")
			must.Succeed(t, os.WriteFile(name, []byte(file.String()), 0o600))
			found, err := Read(HAProxy, name, Options{})
			must.Succeed(t, err)
			found.Ask(t.Context())
			got := clusterOf(t, found)
			if ids := [2]string{got.Nodes[0].ID, got.Nodes[1].ID}; ids != test.ids {
				t.Errorf("got ids %q, want %q", ids, test.ids)
			}
			if server := got.Nodes[0].ServerName(); server != "web1" && test.ids[0] != "web1" {
				t.Errorf("got server %q, want the balancer's name web1", server)
			}
			session := probes.Session{Path: got.Session.Path, Policy: got.Session.Policy, Write: got.Session.Write}
			if session != test.session {
				t.Errorf("got session %+v, want %+v", session, test.session)
			}
			if text, err := found.YAML(phrase.Reader{}); err != nil || !strings.Contains(string(text), test.says) {
				t.Errorf("got %v and\n%s\nwant it to say %s", err, text, test.says)
			}
		})
	}
}
