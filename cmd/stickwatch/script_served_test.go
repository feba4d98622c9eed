package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stickwatch/alerting/chattest"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/daemon"
	"stickwatch/internal/metrics"
)

// startDaemon is `served [WEBCONFIG]`: it starts a daemon that monitors the demo, sets
// SERVER to its URL and writes stickwatch.yml as its configuration.
func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	s, folder := fixtureOf(ts), ts.Getenv("WORK")
	webConfig := ""
	if len(args) > 0 {
		webConfig = ts.MkAbs(args[0])
	}
	d, err := daemon.Start(context.Background(), daemon.Config{
		Load:   (&demoOptions{listen: "127.0.0.1:0"}).configOf(s.demo, folder),
		Prober: newProber(), Notifier: notifierOf(slog.New(slog.DiscardHandler)),
		WebConfigFile: webConfig, Build: metrics.Build{Version: "test"}, Logger: slog.New(slog.DiscardHandler),
	})
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	ts.Defer(func() {
		stop()
		if err := <-ended; err != nil { // ts.Check must not be called in a deferred function
			fmt.Fprintln(os.Stderr, "ending a daemon:", err)
		}
	})
	s.setenv(ts, "SERVER", "http://"+d.Address().String())
	ts.Check(os.WriteFile(ts.MkAbs("stickwatch.yml"), []byte(demoFile(s.demo, d.Address().String(), folder, "en")), 0o600))
}

// awaits is `awaits PATTERN COMMAND...`: it repeats a command until its standard output
// matches, for a minute at most.
func awaits(ts *testscript.TestScript, _ bool, args []string) {
	s, pattern := fixtureOf(ts), regexp.MustCompile("(?m)"+args[0])
	var out bytes.Buffer
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		out.Reset()
		cmd := s.command(ts, args[1:])
		cmd.Stdout, cmd.Stderr = &out, &out
		// The last failure is reported after the loop.
		if _ = cmd.Run(); pattern.Match(out.Bytes()) {
			fmt.Fprint(ts.Stdout(), out.String())
			return
		}
	}
	ts.Fatalf("no %q within a minute; at last:\n%s", args[0], out.String())
}

// likeAPI is `likeAPI FILE`: the history in FILE, which `history -o json` wrote, has
// exactly the fields of the API.
func likeAPI(ts *testscript.TestScript, _ bool, args []string) {
	var history struct {
		Since    string
		Clusters []map[string]any
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &history))
	got := history.Clusters[0]
	since := url.QueryEscape(history.Since)
	want := ask(ts, "/api/v1/history?cluster=demo&since="+since)
	want["incidents"] = ask(ts, "/api/v1/incidents?cluster=demo&since="+since)["incidents"]
	for _, wrong := range [][]string{differences("history", got, want), differences("API", want, got)} {
		if len(wrong) > 0 {
			ts.Fatalf("differences in shape: %q", wrong)
		}
	}
}

// ask returns the answer of the daemon.
func ask(ts *testscript.TestScript, path string) (answer map[string]any) {
	res, err := http.Get(ts.Getenv("SERVER") + path)
	ts.Check(err)
	defer res.Body.Close()
	ts.Check(json.NewDecoder(res.Body).Decode(&answer))
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("%s: got %d %v", path, res.StatusCode, answer)
	}
	return answer
}

// startReceivers is `receivers`: it starts a stub of Slack and a webhook receiver and sets
// SLACK, SLACK_TOKEN and HOOK. A proxy leads the program to stubs of the other chats,
// which accept CHAT_TOKEN and CHAT_SECRET.
func startReceivers(ts *testscript.TestScript, _ bool, _ []string) {
	s := fixtureOf(ts)
	s.slack = slacktest.New("ops")
	ts.Defer(s.slack.Close)
	hook := httptest.NewServer(&s.hook)
	ts.Defer(hook.Close)
	s.setenv(ts, "SLACK", s.slack.URL())
	s.setenv(ts, "SLACK_TOKEN", slacktest.Token)
	s.setenv(ts, "HOOK", hook.URL)
	s.chats.Signed = true
	authorities := filepath.Join(ts.Getenv("WORK"), "chats.pem")
	address, stop, err := s.chats.StartProxy(authorities)
	ts.Check(err)
	ts.Defer(stop)
	s.setenv(ts, "HTTPS_PROXY", address)
	s.setenv(ts, "SSL_CERT_FILE", authorities)
	s.setenv(ts, "CHAT_TOKEN", chattest.Token)
	s.setenv(ts, "CHAT_SECRET", chattest.Secret)
}

// A hook is a webhook receiver that keeps its requests.
type hook struct {
	mu     sync.Mutex
	bodies []json.RawMessage
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, body)
}

// received is `received`: it writes the messages of the receivers, a line each.
func received(ts *testscript.TestScript, _ bool, _ []string) {
	s := fixtureOf(ts)
	for _, m := range s.slack.Messages() {
		fmt.Fprintf(ts.Stdout(), "slack: thread=%t edits=%d %s %s\n", m.Thread != "", m.Edits,
			strings.ReplaceAll(m.Text, "\n", " "), m.Attachments)
	}
	for _, m := range s.chats.Messages() {
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", m.Host, strings.ReplaceAll(m.Text, "\n", " "))
	}
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	for _, body := range s.hook.bodies {
		fmt.Fprintf(ts.Stdout(), "hook: %s\n", body)
	}
}

// slackRefuses is `refuses ERROR`: Slack answers with the error from then on.
func slackRefuses(ts *testscript.TestScript, _ bool, args []string) {
	const forEver = -1
	fixtureOf(ts).slack.Fail(slacktest.Fault{Error: args[0], Times: forEver})
}
