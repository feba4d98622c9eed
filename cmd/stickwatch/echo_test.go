package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReceiverThatEchoes: a receiver that answers with the credentials that it was
// sent puts them neither into the log, nor the history, nor the page.
func TestReceiverThatEchoes(t *testing.T) {
	const user, password = "ops", "corr3ct/horse battery"
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, sent, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "who is %s? %s? %s? not %s\n", r.Header.Get("Authorization"), sent, url.QueryEscape(sent), url.PathEscape(sent))
	}))
	defer echo.Close()
	dir, cluster := t.TempDir(), startedDemo(t)
	file, page := serveFile(t, dir, cluster)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.Replace(echo.URL, "://", "://"+url.UserPassword(user, password).String()+"@", 1)
	changed := strings.Replace(string(text), "alerting: {", fmt.Sprintf("alerting: {receivers: [{name: am, alertmanager: {url: %q}}], ", address), 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Break("redis-down"); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := serveWith(t, file, page, log)
	shown := ""
	for deadline := time.Now().Add(patienceOfTests); !strings.Contains(shown, "***"); time.Sleep(50 * time.Millisecond) {
		if _, shown = fetchText(t, page+"/"); time.Now().After(deadline) {
			t.Fatal("the page tells of no message that was given up")
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	exitOf(t, cmd)
	for _, name := range []string{log.Name(), filepath.Join(dir, "history.db"), "the page"} {
		content := []byte(shown)
		if name != "the page" {
			if content, err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		for _, form := range []string{
			password, url.QueryEscape(password), url.PathEscape(password), base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
		} {
			if strings.Contains(string(content), form) {
				t.Errorf("%s has %q", name, form)
			}
		}
	}
}
