package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prepareWithin limits a command that runs before a server. The slowest one writes
// MariaDB's system tables.
const prepareWithin = time.Minute

// Command describes a server that runs in the foreground.
type Command struct {
	// Name is the server's name in messages and of its log files.
	Name string
	// Path and Args are the command line. Env is added to the environment of this
	// process.
	Path string
	Args []string
	Env  []string
	// Dir is the working directory. Standard output and error are written to its "log"
	// folder. Empty: a new temporary directory.
	Dir string
	// Addr is the host:port that accepts connections once the server is ready.
	Addr string
	// User runs the server when the tests run as root. Empty: root.
	User string
	// StopSignal requests a clean stop. Zero: SIGTERM.
	StopSignal syscall.Signal
	// KillSignal ends the server at once. Zero: SIGKILL to its process group.
	KillSignal syscall.Signal
	// LeavesWorkers is true of a server that does not stop its workers when it stops, so
	// that its process group must be killed.
	LeavesWorkers bool
	// Ready is called repeatedly after Addr accepts connections, until it returns nil.
	// Nil: accepting is enough.
	Ready func(context.Context) error
}

// build creates the process of the command; newCmd is exec.Command, or a function bound
// to a context.
func (c Command) build(newCmd func(string, ...string) *exec.Cmd) (*exec.Cmd, error) {
	cmd := newCmd(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	attributes, err := attributes(c.User, c.stopSignal())
	cmd.SysProcAttr = attributes
	return cmd, err
}

func (c Command) stopSignal() syscall.Signal { return cmp.Or(c.StopSignal, syscall.SIGTERM) }

// prepare runs a command to its end. The error contains its output.
func prepare(tb testing.TB, command Command) error {
	ctx, cancel := context.WithTimeout(tb.Context(), prepareWithin)
	defer cancel()
	cmd, err := command.build(func(path string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, path, args...)
	})
	if err != nil {
		return fmt.Errorf("running %q: %w", command.Name, err)
	}
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %q: %w\n%s", command.Name, err, output)
	}
	return nil
}

// isRoot reports whether servers can run, or must run, as another user.
func isRoot() bool { return os.Geteuid() == 0 }

const (
	// readyWithin is how long a server may take to start; MariaDB on a busy machine
	// with two cores needs a few seconds.
	readyWithin = time.Minute
	pollEvery   = 10 * time.Millisecond
)

var errExited = errors.New("it exited before it was ready")

// poll calls ask until it returns nil, the process has exited or the time has passed.
// In the last case it returns the last error.
func poll(ctx context.Context, exited <-chan struct{}, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("never asked")
	for {
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("waiting %v: %w", readyWithin, last)
		case <-tick.C:
		}
		if last = ask(ctx); last == nil {
			return nil
		}
	}
}

func dial(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// refuses returns nil when the address accepts no connections.
func refuses(ctx context.Context, addr string) error {
	if err := dial(ctx, addr); !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s does not refuse connections: dialing gives %w", addr, err)
	}
	return nil
}

// answers checks that a worker runs, because the kernel accepts connections without
// one.
func answers(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// tailBytes of each log are included in an error: enough for a server's last message.
const tailBytes = 2 << 10

// directory creates a server's own directory, with "log" in it.
//
// When the tests run as root, some servers run as another user (PostgreSQL refuses
// root, httpd's workers change the user). These users need access to the two parent
// directories that package testing creates for root only.
func directory(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o711); err != nil {
			tb.Fatalf("opening %q to the server's user: %v", path, err)
		}
	}
	if err := os.MkdirAll(logDir(dir), 0o755); err != nil {
		tb.Fatalf("making the log directory: %v", err)
	}
	return dir
}

// logDir is also the directory of a server's configuration: both are kept on failure.
func logDir(dir string) string { return filepath.Join(dir, "log") }

// tail returns the end of every file in a log directory.
func tail(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	var text strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, ".conf") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil || len(content) == 0 {
			continue
		}
		content = content[max(0, len(content)-tailBytes):]
		fmt.Fprintf(&text, "--- %s\n%s\n", filepath.Base(file), strings.TrimSpace(string(content)))
	}
	return text.String()
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// keepLogs copies a server's logs and configuration out of the directory that package
// testing removes.
func keepLogs(tb testing.TB, name, logs string) {
	tb.Helper()
	base := os.Getenv("STICKWATCH_LAB_LOGS")
	if base == "" {
		base = filepath.Join(os.TempDir(), "stickwatch-lab")
	}
	kept, err := copyLogs(filepath.Join(base, unsafeInName.ReplaceAllString(tb.Name(), "_")), name, logs)
	if err != nil {
		tb.Logf("keeping the logs of %q: %v", name, err)
		return
	}
	tb.Logf("the logs of %q are kept in %s", name, kept)
}

func copyLogs(base, name, logs string) (string, error) {
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	// One test may run two servers of the same kind.
	kept, err := os.MkdirTemp(base, name+"-*")
	if err != nil {
		return "", err
	}
	return kept, os.CopyFS(kept, os.DirFS(logs))
}
