package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/gate"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestAnnouncer: a deployment is announced for each cluster and ended by the returned ids,
// with the user of the URL and the password of the file.
func TestAnnouncer(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		var body struct {
			Cluster, Name string
			Moved         int `json:"sessions_moved"`
			Lost          int `json:"sessions_lost"`
			Longest       int `json:"longest_outage_ms"`
		}
		json.NewDecoder(r.Body).Decode(&body)
		got = append(got, strings.Join([]string{
			r.Method, r.URL.Path, user, password, r.Header.Get("Content-Type"), body.Cluster, body.Name,
			fmt.Sprint(body.Moved, body.Lost, body.Longest),
		}, " "))
		switch {
		case strings.HasSuffix(r.URL.Path, "/end"):
			w.WriteHeader(http.StatusNoContent)
		case body.Cluster == "blog":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"title": "Not Found", "detail": "cluster \"blog\": not\u001b[2J found"}`))
		default:
			w.WriteHeader(http.StatusCreated)
			w.Write([]byte(`{"id": "7", "cluster": "shop"}`))
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	warnings, err := os.Create(filepath.Join(dir, "warnings"))
	must.Succeed(t, err)
	defer warnings.Close()
	must.Succeed(t, os.WriteFile(password, []byte("secret\n"), 0o600))
	o := newWatchOptions()
	o.server = serverFlags{server: newSetting(server.URL+"/stickwatch/", serverURL), username: "ci", passwordFile: password}
	h, err := o.announcer(t.Context(), warnings, "")
	must.Succeed(t, err)
	h.announce(t.Context(), []*probes.Cluster{{Name: "shop"}, {Name: "blog"}}, "4.2")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h.setCounts(map[string]gate.Report{"shop": {Moved: 12, Lost: 3, Session: gate.Outage{FirstBad: at, FirstGood: at.Add(3400 * time.Millisecond)}}})
	h.finish()
	want := []string{
		"POST /stickwatch/api/v1/deployments ci secret application/json shop 4.2 0 0 0",
		"POST /stickwatch/api/v1/deployments ci secret application/json blog 4.2 0 0 0",
		"POST /stickwatch/api/v1/deployments/7/end ci secret application/json   12 3 3400",
	}
	expect.Equal(t, "requests", want, got)
	text, err := os.ReadFile(warnings.Name())
	must.Succeed(t, err)
	const warning = "stickwatch: the deployment of blog is not recorded, so the daemon notifies of its effects: " +
		"the daemon refused: cluster \"blog\": not[2J found\n"
	expect.Equal(t, "warnings", warning, string(text))
}

// TestNoAnnouncer: without --server nothing is announced.
func TestNoAnnouncer(t *testing.T) {
	o := newWatchOptions()
	h, err := o.announcer(t.Context(), nil, "")
	must.Succeed(t, err)
	h.announce(t.Context(), []*probes.Cluster{{Name: "shop"}}, "4.2")
	h.finish()
}

// TestInterruptedBeforeTheCommand: a signal that comes before the command begins is not a
// command that cannot be run.
func TestInterruptedBeforeTheCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interruption{os.Interrupt})
	r := runCommand(ctx, console{}, []string{"sleep", "600"})
	if got := r.exitStatus(); got != exitSignal+2 {
		t.Errorf("got exit status %d, want %d", got, exitSignal+2)
	}
}
