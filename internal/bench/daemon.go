package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A daemon is the measured process.
type daemon struct {
	cmd     *exec.Cmd
	url     string
	started time.Time
}

// startDaemon starts the daemon and reads its address from its log.
func startDaemon(ctx context.Context, binary, file string) (*daemon, error) {
	cmd := exec.CommandContext(ctx, binary, "serve", "-c", file, "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "watching" {
			d.url = line.URL
			go func() { _, _ = io.Copy(os.Stderr, log) }()
			return d, nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	return nil, errors.Join(errors.New("the daemon did not start"), cmd.Wait())
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	_ = d.cmd.Wait()
}

// reload makes the daemon reload its configuration.
func (d *daemon) reload() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// get returns the body of an answer, or an error for a status other than 200.
func (d *daemon) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return body, err
}

// waitFirstSweep waits until every cluster has had its first round, and returns the
// duration.
func (d *daemon) waitFirstSweep(ctx context.Context) (time.Duration, error) {
	for {
		if _, err := d.get(ctx, "-/ready"); err == nil {
			return time.Since(d.started), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
