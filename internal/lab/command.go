package lab

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// prepareWithin bounds a command that runs before a server: the slowest writes
// MariaDB's system tables.
const prepareWithin = time.Minute

// Command says how a server is run in the foreground.
type Command struct {
	// Name names the server in messages, and its log files.
	Name string
	// Path and Args are the command line, Env is added to this process's own.
	Path string
	Args []string
	Env  []string
	// Dir is the working directory. Standard output and error go to its "log"
	// folder. Empty: a new temporary directory.
	Dir string
	// Addr is the host:port that accepts connections once the server is ready.
	Addr string
	// User is whom the server runs as when the tests run as root. Empty: root.
	User string
	// StopSignal asks the server to leave. Zero: SIGTERM.
	StopSignal syscall.Signal
	// KillSignal ends the server at once. Zero: SIGKILL, to its process group.
	KillSignal syscall.Signal
	// Ready is asked again and again after Addr accepts, until it returns nil.
	// Nil: accepting is enough.
	Ready func(context.Context) error
}

// build makes the process that the command describes; newCmd is exec.Command or
// bound to a context.
func (c Command) build(newCmd func(string, ...string) *exec.Cmd) (*exec.Cmd, error) {
	cmd := newCmd(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	attributes, err := attributes(c.User, c.stopSignal())
	cmd.SysProcAttr = attributes
	return cmd, err
}

func (c Command) stopSignal() syscall.Signal { return cmp.Or(c.StopSignal, syscall.SIGTERM) }

// prepare runs a command to its end. The error holds what it printed.
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

// isRoot tells whether servers must be told, or may be told, whom to run as.
func isRoot() bool { return os.Geteuid() == 0 }
