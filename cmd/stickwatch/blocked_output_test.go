package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/demo"
)

// patienceOfTests is for a busy machine; what blocks blocks for longer.
const patienceOfTests = time.Minute

// fullPipe is a pipe that takes nothing more, and whose reader reads nothing.
func fullPipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	for _, chunk := range []int{4096, 1} {
		for {
			if err := writer.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := writer.Write(make([]byte, chunk)); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return reader, writer
}

// startServe runs the daemon on the demo with a standard error, and waits until it
// has taken its first round.
func startServe(t *testing.T, stderr *os.File) (cmd *exec.Cmd, url string) {
	t.Helper()
	file, url := serveFile(t, t.TempDir(), startedDemo(t))
	return serveWith(t, file, url, stderr), url
}

func startedDemo(t *testing.T) *demo.Cluster {
	t.Helper()
	cluster, err := demo.Start(demo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// serveFile writes a configuration for the demo, with its history, into a folder.
func serveFile(t *testing.T, dir string, cluster *demo.Cluster) (file, url string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	file = filepath.Join(dir, "stickwatch.yml")
	if err := os.WriteFile(file, []byte(demoFile(cluster, address, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, "http://" + address
}

func serveWith(t *testing.T, file, url string, stderr *os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("stickwatch", "serve", "-c", file)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(patienceOfTests); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := fetchText(t, url+"/-/ready"); status == http.StatusOK {
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon does not watch")
		}
	}
}

func fetchText(t *testing.T, url string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// exitOf is the status that a program ends with.
func exitOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		return statusOfProcess(cmd.ProcessState)
	case <-time.After(patienceOfTests):
		t.Fatalf("%q does not end", cmd.Args)
		return 0
	}
}

// TestServeWithBlockedLog: a standard error that nobody reads neither stops the
// watch nor keeps SIGTERM from ending it.
func TestServeWithBlockedLog(t *testing.T) {
	_, stderr := fullPipe(t)
	cmd, _ := startServe(t, stderr)
	cmd.Process.Signal(syscall.SIGTERM)
	if got := exitOf(t, cmd); got != exitOK {
		t.Errorf("got status %d after SIGTERM, want %d", got, exitOK)
	}
}

// TestServeWithoutLogReader: a reader of standard error that goes away does not end
// the daemon. Lines that nobody gets are counted.
func TestServeWithoutLogReader(t *testing.T) {
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer stderr.Close()
	cmd, url := startServe(t, stderr)
	_, metrics := fetchText(t, url+"/metrics")
	if !regexp.MustCompile(`(?m)^stickwatch_log_lines_dropped_total [1-9]`).MatchString(metrics) {
		t.Error("no line of the log was counted as dropped")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if got := exitOf(t, cmd); got != exitOK {
		t.Errorf("got status %d after SIGTERM, want %d", got, exitOK)
	}
}

// watchDemo is a watch of the demo, not started.
func watchDemo(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cluster := startedDemo(t)
	args = append([]string{"probe", "--watch"}, args...)
	cmd := exec.Command("stickwatch", append(args, strings.Fields(strings.Join(demoFlags(cluster), " "))...)...)
	t.Cleanup(func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	return cmd
}

// TestWatchWithBlockedProgress: a watch comes to its end and reports though nobody
// reads what it tells meanwhile.
func TestWatchWithBlockedProgress(t *testing.T) {
	_, stderr := fullPipe(t)
	cmd := watchDemo(t, "1s")
	var report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := exitOf(t, cmd); got != exitOK || report.Len() == 0 {
		t.Errorf("got status %d and a report of %d bytes", got, report.Len())
	}
}

// TestWatchWithoutProgressReader: a reader of the progress that goes away ends no
// watch.
func TestWatchWithoutProgressReader(t *testing.T) {
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer stderr.Close()
	cmd := watchDemo(t, "1s")
	var report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := exitOf(t, cmd); got != exitOK || report.Len() == 0 {
		t.Errorf("got status %d and a report of %d bytes", got, report.Len())
	}
}

// TestWatchWithBlockedReport: nobody reads the report. The daemon learns all the
// same that the deployment is over, and SIGTERM ends the program.
func TestWatchWithBlockedReport(t *testing.T) {
	ended := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/end") {
			ended <- r.URL.Path
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": "7"}`)
	}))
	defer server.Close()
	_, stdout := fullPipe(t)
	cmd := watchDemo(t, "1s", "--server", server.URL)
	cmd.Stdout = stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patienceOfTests):
		t.Error("the daemon is not told of the end of the deployment")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if got, want := exitOf(t, cmd), exitSignal+int(syscall.SIGTERM); got != want {
		t.Errorf("got status %d after SIGTERM, want %d", got, want)
	}
}

// TestServeWithoutReader: a reader of standard error that goes away does not end
// the daemon.
func TestServeWithoutReader(t *testing.T) {
	cluster, err := demo.Start(demo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	folder := t.TempDir()
	file := filepath.Join(folder, "stickwatch.yml")
	if err := os.WriteFile(file, []byte(demoFile(cluster, "127.0.0.1:0", folder)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "stickwatch", "serve", "--config", file)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	url := ""
	for url == "" && lines.Scan() {
		if m := regexp.MustCompile(`msg=watching .*url=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
	}
	stderr.Close()
	for range 3 { // each reload is told, to nobody
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"-/reload", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("the daemon does not answer: %v", err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v, want the daemon to end as it was told to", err)
	}
}
