package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// tomcats are nodes that share their sessions, as Tomcat with DeltaManager and
// JvmRouteBinderValve does: the node that is asked takes a session over, and
// renames its route. The id it had before is then unknown.
type tomcats struct {
	mu          sync.Mutex
	sessions    map[string]*tomcatEntry // by id without route
	opened      int
	unreachable map[string]bool // nodes that know no sessions but their own
	broken      map[string]bool // nodes that answer 500 with a new session cookie
}

type tomcatEntry struct{ route, value string }

// secretID is what session ids begin with: it must be seen nowhere.
const secretID = "5E55104D5EC2E7"

// node serves as the node of that name, its application under prefix.
func (s *tomcats) node(t testing.TB, name, prefix string) *url.URL {
	return web(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id, entry := s.find(r, name)
		if s.broken[name] {
			id, entry = s.open(name)
		}
		if entry == nil {
			id, entry = s.open(name)
		}
		if c, err := r.Cookie("JSESSIONID"); err != nil || c.Value != id+"."+name {
			entry.route = name
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id + "." + name, Path: prefix + "/cluster", HttpOnly: true})
		}
		if s.broken[name] {
			w.WriteHeader(http.StatusInternalServerError)
		}
		if v := r.FormValue("key1"); v != "" {
			entry.value = v
		}
		if entry.value != "" {
			fmt.Fprintf(w, "key1=%s", entry.value)
		}
	})
}

func (s *tomcats) find(r *http.Request, node string) (string, *tomcatEntry) {
	c, err := r.Cookie("JSESSIONID")
	if err != nil {
		return "", nil
	}
	id, route, _ := strings.Cut(c.Value, ".")
	entry := s.sessions[id]
	if entry == nil || entry.route != route || s.unreachable[node] && entry.route != node {
		return "", nil
	}
	return id, entry
}

func (s *tomcats) open(node string) (string, *tomcatEntry) {
	if s.sessions == nil {
		s.sessions = make(map[string]*tomcatEntry)
	}
	s.opened++
	id := fmt.Sprintf("%s%018d", secretID, s.opened)
	s.sessions[id] = &tomcatEntry{route: node}
	return id, s.sessions[id]
}

// site is a cluster of nodes of s; its balancer sends everybody to the first.
func (s *tomcats) site(t testing.TB, names ...string) *Cluster {
	c := &Cluster{Name: "shop", Session: tomcatSession, Limits: Limits{Timeout: ample}}
	for _, name := range names {
		c.Nodes = append(c.Nodes, Node{ID: name, URL: s.node(t, name, "")})
	}
	c.Balancer.URLs = []*url.URL{c.Nodes[0].URL}
	return c
}

// enter opens a canary at the balancer of c.
func enter(t testing.TB, c *Cluster, base int) *Canary {
	t.Helper()
	frontends := Resolve(t.Context(), c)
	if len(frontends) != 1 {
		t.Fatalf("got %d entrances, want 1", len(frontends))
	}
	canary := NewCanary(c, frontends[0], "", "", base)
	fit(t, canary.Open(t.Context()))
	return canary
}

// last is the fate by the last step.
func last(c *Canary) SessionOutcome {
	w := c.Trace()
	return w.SessionOutcome(len(w.Steps) - 1)
}
