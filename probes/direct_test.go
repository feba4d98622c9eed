package probes

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

// site is a node with a status, a session test and a page.
func site(t testing.TB, asked *[]string) Node {
	var mu sync.Mutex
	return Node{ID: "node1", URL: web(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		*asked = append(*asked, r.URL.Path)
		mu.Unlock()
		switch r.URL.Path {
		case "/status":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"state":"paused","reason":"unavailable: Redis Server","version":"1.2"}`)
		case "/session":
			http.Redirect(w, r, "/session/", http.StatusFound)
		case "/session/":
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "one.tomcat1"})
		case "/page":
			fmt.Fprint(w, "version 1.3")
		default:
			http.NotFound(w, r)
		}
	})}
}

func TestDirect(t *testing.T) {
	session := *tomcatSession
	session.Path = "/session"
	version := extractorFunc(func(doc Document) string {
		_, v, _ := strings.Cut(string(doc.Body), "version ")
		return v
	})
	tests := []struct {
		name    string
		cluster Cluster
		asked   int
		primary int
		pages   []int
		label   string
		session bool
		paused  bool
		version string
	}{
		{
			"everything",
			Cluster{Status: &Status{Path: "/status"}, Session: &session, Pages: []Page{{Path: "/page"}, {Path: "/none"}}},
			5, 503,
			[]int{200, 404},
			"tomcat1", true, true, "1.2",
		},
		{
			"version from a page",
			Cluster{Status: &Status{Path: "/none"}, Pages: []Page{{Path: "/page"}}, Version: version},
			2, 404,
			[]int{200},
			"", false, false, "1.3",
		},
		{
			"the session test is primary",
			Cluster{Session: &session, Pages: []Page{{Path: "/session"}}},
			2, 200,
			[]int{200},
			"tomcat1", true, false, "",
		},
		{
			"a page is primary",
			Cluster{Pages: []Page{{Path: "/page"}, {Path: "/session"}}},
			2, 200,
			[]int{200, 302},
			"", false, false, "",
		},
		{"nothing", Cluster{}, 1, 404, nil, "", false, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			node := site(t, &asked)
			tt.cluster.Limits.Timeout = ample
			obs := Direct(t.Context(), &tt.cluster, node)
			checkPresentable(t, obs.Primary)
			var pages []int
			for _, p := range obs.Pages {
				checkPresentable(t, p)
				pages = append(pages, p.Status)
			}
			expect.Equal(t, "pages", tt.pages, pages)
			if len(asked) != tt.asked || obs.Primary.Status != tt.primary || obs.Node != "node1" {
				t.Errorf("got %q asked, primary %d, want %d requests, primary %d", asked, obs.Primary.Status, tt.asked, tt.primary)
			}
			if obs.Label != tt.label || (obs.Session != nil) != tt.session || obs.Status.Paused() != tt.paused || obs.Version != tt.version {
				t.Errorf("got label %q, session %v, status %+v, version %q", obs.Label, obs.Session, obs.Status, obs.Version)
			}
			if obs.Clock.Samples == 0 {
				t.Error("got no clock")
			}
		})
	}
}

// TestDirectWithAContradictoryClock: two machines answer at one address.
func TestDirectWithAContradictoryClock(t *testing.T) {
	node := Node{URL: web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}
	})}
	cluster := &Cluster{Pages: []Page{{Path: "/"}, {Path: "/late"}, {Path: "/more"}}, Limits: Limits{Timeout: ample}}
	if obs := Direct(t.Context(), cluster, node); obs.Clock.Samples != 0 {
		t.Errorf("got %+v, want nothing", obs.Clock)
	}
}

func TestDirectRefused(t *testing.T) {
	cluster := &Cluster{Status: &Status{Path: "/status"}, Session: tomcatSession, Pages: []Page{{Path: "/"}}, Limits: Limits{Timeout: ample}}
	obs := Direct(t.Context(), cluster, Node{ID: "n", URL: closed(t)})
	for _, ex := range []Exchange{obs.Primary, *obs.Session, obs.Pages[0]} {
		checkPresentable(t, ex)
		expect.Equal(t, ex.Path, FailureRefused, ex.Failure)
	}
	if obs.Status != nil || obs.Clock.Samples != 0 || obs.Version != "" || obs.Label != "" {
		t.Errorf("got %+v, want nothing known", obs)
	}
}
