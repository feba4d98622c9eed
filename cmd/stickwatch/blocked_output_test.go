package main

import (
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
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// processTimeout is generous for a busy machine. A blocked program exceeds it.
const processTimeout = time.Minute

// fullPipe returns the writer of a pipe whose buffer is full and whose reader does not read.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	must.Succeed(t, err)
	t.Cleanup(func() { reader.Close(); writer.Close() })
	for _, chunk := range []int{4096, 1} {
		for {
			must.Succeed(t, writer.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
			if _, err := writer.Write(make([]byte, chunk)); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return writer
}

// startServe runs the daemon on the demo and waits for its first round.
func startServe(t *testing.T, stderr *os.File) (cmd *exec.Cmd, url string) {
	t.Helper()
	file, url := serveFile(t, t.TempDir(), startedDemo(t))
	return serveWith(t, file, url, stderr), url
}

func startedDemo(t *testing.T) *demo.Cluster {
	t.Helper()
	cluster, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// serveFile writes a configuration for the demo into a folder, which gets the history,
// too.
func serveFile(t *testing.T, dir string, cluster *demo.Cluster) (file, url string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(t, err)
	address := free.Addr().String()
	free.Close()
	file = filepath.Join(dir, "stickwatch.yml")
	must.Succeed(t, os.WriteFile(file, []byte(demoFile(cluster, address, dir, "en")), 0o600))
	return file, "http://" + address
}

func serveWith(t *testing.T, file, url string, stderr *os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("stickwatch", "serve", "-c", file)
	cmd.Stderr = stderr
	awaitServe(t, cmd, url)
	return cmd
}

// awaitServe starts a daemon and waits for its first round.
func awaitServe(t *testing.T, cmd *exec.Cmd, url string) {
	t.Helper()
	must.Succeed(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(processTimeout); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := fetchText(t, url+"/-/ready"); status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon does not watch")
		}
	}
}

func fetchText(t *testing.T, url string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), processTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must.Succeed(t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must.Succeed(t, err)
	return res.StatusCode, string(text)
}

// exitOf waits for a program and returns its exit status.
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
	case <-time.After(processTimeout):
		t.Fatalf("%q does not end", cmd.Args)
		return 0
	}
}

// TestServeWithBlockedLog: a blocked standard error stops neither the monitoring nor the
// shutdown by SIGTERM.
func TestServeWithBlockedLog(t *testing.T) {
	stderr := fullPipe(t)
	cmd, _ := startServe(t, stderr)
	cmd.Process.Signal(syscall.SIGTERM)
	expect.Equal(t, "status after SIGTERM", exitOK, exitOf(t, cmd))
}

// TestServeWithoutLogReader: the daemon survives a closed standard error and counts the
// dropped lines.
func TestServeWithoutLogReader(t *testing.T) {
	reader, stderr, err := os.Pipe()
	must.Succeed(t, err)
	reader.Close()
	defer stderr.Close()
	cmd, url := startServe(t, stderr)
	_, metrics := fetchText(t, url+"/metrics")
	if !regexp.MustCompile(`(?m)^stickwatch_log_lines_dropped_total [1-9]`).MatchString(metrics) {
		t.Error("no line of the log was counted as dropped")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	expect.Equal(t, "status after SIGTERM", exitOK, exitOf(t, cmd))
}

// watchDemo returns a watch of the demo that is not started.
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

// completesWith checks that a watch with this standard error completes and writes its report.
func completesWith(t *testing.T, stderr *os.File) {
	t.Helper()
	cmd := watchDemo(t, "1s")
	var report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, stderr
	must.Succeed(t, cmd.Start())
	if got := exitOf(t, cmd); got != exitOK || report.Len() == 0 {
		t.Errorf("got status %d and a report of %d bytes", got, report.Len())
	}
}

// TestWatchWithBlockedProgress: a watch completes although standard error is blocked.
func TestWatchWithBlockedProgress(t *testing.T) {
	stderr := fullPipe(t)
	completesWith(t, stderr)
}

// TestWatchWithoutProgressReader: a watch completes although standard error is closed.
func TestWatchWithoutProgressReader(t *testing.T) {
	reader, stderr, err := os.Pipe()
	must.Succeed(t, err)
	reader.Close()
	defer stderr.Close()
	completesWith(t, stderr)
}

// TestWatchWithBlockedReport: with a blocked standard output, the deployment is still
// ended at the daemon, and SIGTERM ends the program.
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
	stdout := fullPipe(t)
	cmd := watchDemo(t, "1s", "--server", server.URL)
	cmd.Stdout = stdout
	must.Succeed(t, cmd.Start())
	select {
	case <-ended:
	case <-time.After(processTimeout):
		t.Error("the end of the deployment was not announced")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if got, want := exitOf(t, cmd), exitSignal+int(syscall.SIGTERM); got != want {
		t.Errorf("got status %d after SIGTERM, want %d", got, want)
	}
}
