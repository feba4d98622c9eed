package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// serverCommand returns a command with serverFlags that has parsed args.
func serverCommand(t *testing.T, args ...string) (*cobra.Command, *serverFlags) {
	t.Helper()
	var flags serverFlags
	cmd := &cobra.Command{Use: "test"}
	flags.register(cmd)
	must.Succeed(t, cmd.ParseFlags(args))
	return cmd, &flags
}

func clientOf(t *testing.T, args ...string) *apiClient {
	t.Helper()
	cmd, flags := serverCommand(t, args...)
	must.Succeed(t, flags.validate(cmd))
	client, err := flags.client(t.Context(), nil)
	must.Succeed(t, err)
	return client
}

func TestAPIClientErrors(t *testing.T) {
	type asked struct{ Method, Path, Query, Type, User, Password, Body string }
	var got asked
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = asked{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), "", "", string(body)}
		got.User, got.Password, _ = r.BasicAuth()
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "17"})
	}))
	defer server.Close()
	password := filepath.Join(t.TempDir(), "password")
	must.Succeed(t, os.WriteFile(password, []byte("secret\r\nnot this\n"), 0o600))
	for _, tt := range []struct {
		name         string
		args         []string
		method, path string
		in           any
		want         asked
	}{
		{
			"an unused socket",
			[]string{"--server", server.URL},
			http.MethodGet, "/api/v1/silences?since=7d", nil,
			asked{http.MethodGet, "/api/v1/silences", "since=7d", "", "", "", ""},
		},
		{
			"below a path",
			[]string{"--server", server.URL + "/watch/"},
			http.MethodDelete, "/api/v1/silences/a%2Fb", nil,
			asked{http.MethodDelete, "/watch/api/v1/silences/a%2Fb", "", "", "", "", ""},
		},
		{
			"a user of the URL",
			[]string{"--server", strings.Replace(server.URL, "//", "//ops:secret@", 1)},
			http.MethodPost, "/x",
			map[string]int{"n": 1},
			asked{http.MethodPost, "/x", "", "application/json", "ops", "secret", `{"n":1}`},
		},
		{
			"a user with a file",
			[]string{"--server", server.URL, "--username", "ops", "--password-file", password},
			http.MethodGet, "/x", nil,
			asked{http.MethodGet, "/x", "", "", "ops", "secret", ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out struct{ ID string }
			if err := clientOf(t, tt.args...).call(t.Context(), tt.method, tt.path, tt.in, &out); err != nil || out.ID != "17" {
				t.Errorf("got %q, %v", out.ID, err)
			}
			expect.Equal(t, "asked", tt.want, got)
		})
	}
}

func TestAPIClientRemedies(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body string
		status           int
		want             string
	}{
		{"a problem", "application/problem+json", `{"title":"Bad Request","status":400,"detail":"no \u001b[31m cluster"}`, 400, `^the daemon refused: no .*cluster$`},
		{"a problem without detail", "application/problem+json; charset=utf-8", `{"title":"Forbidden"}`, 403, `^the daemon refused: Forbidden$`},
		{"not a problem", "application/problem+json", `<html>`, 500, `answers 500 Internal Server Error: it may not be stickwatch`},
		{"no credentials", "text/plain", "Unauthorized", 401, `answers 401 Unauthorized: authenticate with --username NAME --password-file FILE$`},
		{"it speaks TLS", "text/plain", "Client sent an HTTP request to an HTTPS server.\n", 400, `it uses TLS: give --server https://127`},
		{"it sends elsewhere", "text/html", "", 302, `answers 302 Found: it may not be stickwatch`},
		{"no JSON", "text/html", "<html>", 200, `which may not be stickwatch: invalid character`},
		{"too much", "application/json", strings.Repeat(" ", maxAnswer+1), 200, `has more than 16777216 bytes$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			var out any
			err := clientOf(t, "--server", server.URL).call(t.Context(), http.MethodGet, "/", nil, &out)
			if err == nil || !matches(tt.want, err.Error()) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAPIClientTrustsCAFile(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	server.Config.ErrorLog = nil
	authority := filepath.Join(t.TempDir(), "ca.pem")
	must.Succeed(t, os.WriteFile(authority, certificate(server.Certificate()), 0o600))
	known := clientOf(t, "--server", server.URL, "--ca-file", authority)
	if err := known.call(t.Context(), http.MethodGet, "/", nil, nil); err != nil {
		t.Error(err)
	}
	err := clientOf(t, "--server", server.URL).call(t.Context(), http.MethodGet, "/", nil, nil)
	if err == nil || !matches(`: name the authority of its certificate with --ca-file FILE$`, err.Error()) {
		t.Errorf("got %v", err)
	}
}

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func TestDefaultServer(t *testing.T) {
	for _, tt := range []struct {
		listen string
		args   []string
		want   string
	}{
		{"", nil, "http://127.0.0.1:9748"},
		{"10.0.0.7:9000", nil, "http://10.0.0.7:9000"},
		{":9000", nil, "http://localhost:9000"},
		{"0.0.0.0:9000", nil, "http://localhost:9000"},
		{"[::]:9000", nil, "http://localhost:9000"},
		{"[::1]:9000", nil, "http://[::1]:9000"},
		{"watch.example:9000", []string{"--server", "https://ops:secret@other.example/watch"}, "https://other.example/watch"},
	} {
		_, flags := serverCommand(t, tt.args...)
		client, err := flags.client(t.Context(), &config.Config{Listen: tt.listen})
		must.Succeed(t, err)
		if got := client.String(); got != tt.want {
			t.Errorf("%q, %q: got %s, want %s", tt.listen, tt.args, got, tt.want)
		}
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
