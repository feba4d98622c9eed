package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"stickwatch/internal/demo"
)

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
