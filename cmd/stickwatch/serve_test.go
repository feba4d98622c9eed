package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestServeWithDamagedHistory: a daemon with a damaged history still monitors, keeps the
// file, and names it in the log, on the page and in an incident.
func TestServeWithDamagedHistory(t *testing.T) {
	dir := t.TempDir()
	file, url := serveFile(t, dir, startedDemo(t))
	history := filepath.Join(dir, "history.db")
	log, err := os.Create(filepath.Join(dir, "log"))
	must.Succeed(t, err)
	defer log.Close()
	stop := func(cmd interface{ Signal(os.Signal) error }, wait func() int) {
		t.Helper()
		cmd.Signal(syscall.SIGTERM)
		expect.Equal(t, "status", exitOK, wait())
	}
	first := serveWith(t, file, url, log)
	stop(first.Process, func() int { return exitOf(t, first) })
	for name, damage := range map[string]func(content []byte) []byte{
		"truncated":   func(c []byte) []byte { return c[:len(c)/2] },
		"a page":      func(c []byte) []byte { copy(c[5*4096:], bytes.Repeat([]byte("junk"), 1024)); return c },
		"its header":  func(c []byte) []byte { clear(c[:100]); return c },
		"all of it":   func(c []byte) []byte { return bytes.Repeat([]byte{0xff}, len(c)) },
		"of no bytes": func(c []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(history)
			must.Succeed(t, err)
			must.Succeed(t, os.WriteFile(history, damage(content), 0o600))
			const times = ".damaged-*[Z0-9]" // without journals
			before, _ := filepath.Glob(history + times)
			cmd := serveWith(t, file, url, log)
			after, _ := filepath.Glob(history + times)
			after = slices.DeleteFunc(after, func(path string) bool { return slices.Contains(before, path) })
			if len(after) != 1 {
				t.Fatalf("got %q, want that one file was kept", after)
			}
			kept := after[0]
			text, err := os.ReadFile(log.Name())
			if err != nil || !strings.Contains(string(text), kept) {
				t.Errorf("the log does not name %q: %v", kept, err)
			}
			for deadline := time.Now().Add(processTimeout); ; time.Sleep(50 * time.Millisecond) {
				_, page := fetchText(t, url+"/")
				status, incidents := fetchText(t, url+"/api/v1/incidents?state=firing")
				if strings.Contains(page, filepath.Base(kept)) && status == http.StatusOK && strings.Contains(incidents, `"history_damaged"`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("neither the page nor the API has it: %s", incidents)
				}
			}
			stop(cmd.Process, func() int { return exitOf(t, cmd) })
		})
	}
}

// TestReceiverRepeatsCredentials: credentials that a receiver echoes appear neither in the log, nor
// in the history, nor on the page.
func TestReceiverRepeatsCredentials(t *testing.T) {
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
	must.Succeed(t, err)
	address := strings.Replace(echo.URL, "://", "://"+url.UserPassword(user, password).String()+"@", 1)
	changed := strings.Replace(string(text), "alerting: {", fmt.Sprintf("alerting: {receivers: [{name: am, alertmanager: {url: %q}}], ", address), 1)
	must.Succeed(t, os.WriteFile(file, []byte(changed), 0o600))
	must.Succeed(t, cluster.Break("redis-down"))
	log, err := os.Create(filepath.Join(dir, "log"))
	must.Succeed(t, err)
	defer log.Close()
	cmd := serveWith(t, file, page, log)
	shown := ""
	for deadline := time.Now().Add(processTimeout); !strings.Contains(shown, "***"); time.Sleep(50 * time.Millisecond) {
		if _, shown = fetchText(t, page+"/"); time.Now().After(deadline) {
			t.Fatal("the page shows no abandoned message")
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

// TestServiceManager: systemd is notified that the daemon is ready, alive, reloading and
// stopping. Source: sd_notify(3).
func TestServiceManager(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Skipf("this system has no datagram sockets: %v", err)
	}
	defer socket.Close()
	want := func(pattern string) {
		t.Helper()
		socket.SetReadDeadline(time.Now().Add(processTimeout))
		for message := make([]byte, 1024); ; {
			n, err := socket.Read(message)
			if err != nil {
				t.Fatalf("waiting for %s: %v", pattern, err)
			}
			if regexp.MustCompile("^" + pattern + "$").Match(message[:n]) {
				return
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", socket.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "600000")
	file, url := serveFile(t, dir, startedDemo(t))
	cmd := serveWith(t, file, url, nil)
	want("READY=1")
	want("WATCHDOG=1")
	cmd.Process.Signal(syscall.SIGHUP)
	want(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	want("READY=1")
	must.Succeed(t, os.WriteFile(file, []byte("clusters: []"), 0o600))
	cmd.Process.Signal(syscall.SIGHUP)
	want(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	want("READY=1") // with the old configuration
	want("WATCHDOG=1")
	cmd.Process.Signal(syscall.SIGTERM)
	want("STOPPING=1")
	expect.Equal(t, "status", exitOK, exitOf(t, cmd))
}

// TestClientsLeaveDescriptorsForProbing: more clients than descriptors do not keep the daemon
// from probing.
func TestClientsLeaveDescriptorsForProbing(t *testing.T) {
	file, url := serveFile(t, t.TempDir(), startedDemo(t))
	log, err := os.Create(file + ".log")
	must.Succeed(t, err)
	defer log.Close()
	cmd := exec.Command("sh", "-c", `ulimit -n 128; exec stickwatch serve -c "$0"`, file)
	cmd.Stderr = log
	awaitServe(t, cmd, url)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(filepath.Dir(file), "history.db.sock"))
	}}}
	jobs := func() (n float64) {
		res, err := client.Get("http://admin/metrics")
		must.Succeed(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		must.Succeed(t, err)
		for _, m := range regexp.MustCompile(`(?m)^stickwatch_schedule_lag_seconds_count\S* (\S+)$`).FindAllSubmatch(text, -1) {
			count, err := strconv.ParseFloat(string(m[1]), 64)
			must.Succeed(t, err)
			n += count
		}
		return n
	}
	before := jobs()
	for range 300 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		must.Succeed(t, err)
		defer conn.Close()
	}
	const enough = 30 // jobs, of which some are rounds with new connections
	for deadline := time.Now().Add(processTimeout); jobs() < before+enough; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no jobs are started")
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	expect.Equal(t, "status", exitOK, exitOf(t, cmd))
	text, err := os.ReadFile(log.Name())
	must.Succeed(t, err)
	if regexp.MustCompile(`cannot probe|too many open files|critical`).Match(text) {
		t.Errorf("stickwatch has trouble of its own:\n%s", text)
	}
}

// TestDemoPrintsLink: the link that the demo prints lets a browser make changes.
func TestDemoPrintsLink(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must.Succeed(t, err)
	defer log.Close()
	cmd := exec.Command("stickwatch", "demo", "--listen", "127.0.0.1:0")
	cmd.Stderr = log
	must.Succeed(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var link string
	for deadline := time.Now().Add(processTimeout); link == ""; time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(log.Name())
		must.Succeed(t, err)
		link = string(regexp.MustCompile(`http://\S+/login\?\S+`).Find(text))
		if time.Now().After(deadline) {
			t.Fatalf("there is no link:\n%s", text)
		}
	}
	cookies, err := cookiejar.New(nil)
	must.Succeed(t, err)
	add := func(client http.Client) (status int) {
		page, _, _ := strings.Cut(link, "login?")
		res, err := client.Post(page+"api/v1/silences", "application/json", strings.NewReader(`{"all": true, "duration": "1h"}`))
		must.Succeed(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	browser := http.Client{Jar: cookies}
	res, err := browser.Get(link)
	must.Succeed(t, err)
	res.Body.Close()
	expect.Equal(t, "status after the link", http.StatusCreated, add(browser))
	expect.Equal(t, "status without it", http.StatusForbidden, add(http.Client{}))
}

// TestDemoConfigurationStays: a reload during a fault does not list the node that the fault adds.
func TestDemoConfigurationStays(t *testing.T) {
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	defer cluster.Close()
	read := (&demoOptions{listen: "127.0.0.1:0"}).configOf(cluster, t.TempDir())
	must.Succeed(t, cluster.Break("unknown-node"))
	cfg, err := read()
	must.Succeed(t, err)
	expect.Equal(t, "nodes", 3, len(cfg.Clusters[0].Nodes))
}
