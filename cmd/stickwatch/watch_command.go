package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"stickwatch/internal/panics"
	"stickwatch/internal/render"
)

// A commandResult is what came of the command that was run during a watch.
type commandResult struct {
	Name     string // without its arguments: they may hold secrets
	Status   int    // as a shell tells it: 128 and the signal's number, if one ended it
	Duration time.Duration
	Error    error // it could not be run
}

// exitStatus is the status that the whole program ends with because of the
// command: a deployment that failed has failed, whatever users noticed.
func (r *commandResult) exitStatus() int {
	switch {
	case r == nil:
		return exitOK
	case r.Error != nil:
		return exitUsage
	default:
		return r.Status
	}
}

// result returns the part of r that reports show; nil if no command ran.
func (r *commandResult) result() *render.Command {
	if r == nil {
		return nil
	}
	return &render.Command{Name: r.Name, Status: r.exitStatus(), Duration: r.Duration}
}

// runCommand runs a command to its end. What it prints goes to standard error,
// both of its streams: standard output is for the report.
func runCommand(ctx context.Context, c console, command []string) *commandResult {
	r := &commandResult{Name: commandName(command)}
	began := time.Now()
	cmd := exec.Command(command[0], command[1:]...) // not with ctx: it is to end by itself, and kindly
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.in, c.err, c.err
	if r.Error = cmd.Start(); r.Error != nil {
		return r
	}
	stop := panics.AfterContext(ctx, panics.Daemon, func() { forward(ctx, c, cmd.Process) })
	defer stop()
	err := cmd.Wait()
	r.Duration, r.Status = time.Since(began), statusOfProcess(cmd.ProcessState)
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.Error = err
	}
	return r
}

// forward passes on the signal that ended ctx. A terminal has sent an interrupt
// to the command already, and many take a second one as an order to drop
// everything.
func forward(ctx context.Context, c console, process *os.Process) {
	cause, ok := errors.AsType[interruption](context.Cause(ctx))
	if ok && !(cause.signal == os.Interrupt && term.IsTerminal(int(c.in.Fd()))) {
		process.Signal(cause.signal)
	}
}

func statusOfProcess(state *os.ProcessState) int {
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exitSignal + int(s.Signal())
	}
	return state.ExitCode()
}

func commandName(command []string) string { return filepath.Base(command[0]) }
