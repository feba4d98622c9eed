package lab

import (
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// tomcatPair are the names and routes of the guide's Tomcats.
var tomcatPair = []string{"tomcat1", "tomcat2"}

// A visit is the session as shown to a client.
type visit struct{ ID, Route, Key1 string }

// show presents a session to a Tomcat, stores a value unless it is "", and returns the
// session that the page shows and the client's cookie.
func show(tb testing.TB, t *Tomcat, session, value string) (visit, string) {
	tb.Helper()
	url := t.URL() + testPage
	if value != "" {
		url += "?key1=" + value
	}
	page, now, err := askTestPage(tb.Context(), url, session)
	must.Succeed(tb, err)
	id, route, _ := strings.Cut(now, ".")
	_, rest, _ := strings.Cut(page, "key1=")
	stored, _, _ := strings.Cut(rest, "<")
	return visit{id, route, stored}, now
}

// TestTomcatReplicates: a replicated session on another node keeps its id and values;
// its route changes.
func TestTomcatReplicates(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Replicate: true})

	t.Run("there and back", func(t *testing.T) {
		first, session := show(t, tomcats[0], "", "one")
		moved, session := show(t, tomcats[1], session, "")
		back, _ := show(t, tomcats[0], session, "")
		want := []visit{{first.ID, "tomcat1", "one"}, {first.ID, "tomcat2", "one"}, {first.ID, "tomcat1", "one"}}
		expect.Equal(t, "here, there and back", want, []visit{first, moved, back})
	})

	// The first node knows a session that has moved by its new cookie only; the second
	// node by either.
	t.Run("with the old cookie", func(t *testing.T) {
		first, old := show(t, tomcats[0], "", "one")
		show(t, tomcats[1], old, "")
		again, _ := show(t, tomcats[1], old, "")
		if want := (visit{first.ID, "tomcat2", "one"}); again != want {
			t.Errorf("got %v where the session is, want %v", again, want)
		}
		if lost, _ := show(t, tomcats[0], old, ""); lost.ID == first.ID || lost.Key1 != "" {
			t.Errorf("got %v where the session was, want a new one", lost)
		}
	})

	// A restarted node receives all sessions before it answers.
	for name, end := range map[string]func(){"after a stop": tomcats[0].Stop, "after a kill": tomcats[0].Kill} {
		t.Run(name, func(t *testing.T) {
			first, session := show(t, tomcats[0], "", "one")
			end()
			_, session = show(t, tomcats[1], session, "two")
			tomcats[0].Start()
			back, _ := show(t, tomcats[0], session, "")
			if want := (visit{first.ID, "tomcat1", "two"}); back != want {
				t.Errorf("got %v, want %v", back, want)
			}
		})
	}
}

func TestTomcatsAlone(t *testing.T) {
	tomcats := Tomcats(t, TomcatConfig{Nodes: tomcatPair, Routes: []string{"tomcat1", ""}})
	first, session := show(t, tomcats[0], "", "one")
	other, _ := show(t, tomcats[1], session, "")
	if other.ID == first.ID || other.Route != "" || other.Key1 != "" {
		t.Errorf("got %v from a Tomcat without a route for a session of another, want a new one without a route", other)
	}
}
