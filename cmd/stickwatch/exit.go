package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// The exit statuses. People's pipelines branch on them.
const (
	exitOK           = 0   // nothing at or above --fail-on
	exitFinding      = 1   // a finding at or above it
	exitUsage        = 2   // wrong usage or configuration
	exitInconclusive = 3   // the picture could not be taken or written, or the evidence asked for cannot be had
	exitSignal       = 128 // plus the number of the signal that ended the program
)

// An exitError ends the program with a status of its own.
type exitError struct {
	status int
	err    error // nil: all has been said already
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

// statusOf is what the program exits with when a command returns err. Whatever
// says nothing else is wrong usage, but for a result that nobody would take.
func statusOf(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[exitError](err); ok {
		return e.status
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Op == "write" {
		return exitInconclusive
	}
	return exitUsage
}

// exitStatus is what probe exits with. A finding at hand outweighs a doubt: a
// gate that is told "inconclusive" tries again, and here that would not help.
func exitStatus(reports []checks.Report, failOn checks.Severity) int {
	fails := func(f checks.Finding) bool { return f.Severity.AtLeast(failOn) }
	switch {
	case slices.ContainsFunc(reports, func(r checks.Report) bool { return slices.ContainsFunc(r.Findings, fails) }):
		return exitFinding
	case slices.ContainsFunc(reports, func(r checks.Report) bool { return r.Verdict == checks.Inconclusive }):
		return exitInconclusive
	default:
		return exitOK
	}
}

// untilInterrupted returns a context that the first interrupt (Ctrl-C) or
// termination ends; its cause is then an interruption. The second one ends the
// program at once. stop gives signals back.
//
// Commands that leave nothing behind do not ask for it: any signal ends them.
func untilInterrupted(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	panics.Go(panics.Daemon, func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s})
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// outliveReaders keeps the program running when the reader of its standard output
// or standard error goes away: writing there then fails. Programs that it starts
// get the signal as ever.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// An interruption is the signal that ended a command.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted"
	}
	return i.signal.String()
}

// status is what shells tell of a program that a signal ended: 130 after
// Ctrl-C, 143 after a termination.
func (i interruption) status() int {
	number, _ := i.signal.(syscall.Signal)
	return exitSignal + int(number)
}
