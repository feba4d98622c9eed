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
