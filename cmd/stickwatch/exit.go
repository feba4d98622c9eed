package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/internal/render"
)

// The exit statuses. Pipelines depend on them.
const (
	exitOK           = 0   // nothing at or above --fail-on
	exitFinding      = 1   // a finding at or above it
	exitUsage        = 2   // wrong usage or configuration
	exitInconclusive = 3   // no report could be made or written, or the demanded evidence is unavailable
	exitSignal       = 128 // plus the number of the signal that ended the program
)

// An exitError ends the program with a status of its own.
type exitError struct {
	status int
	err    error // nil: nothing to print
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

// statusOf returns the exit status for the error of a command. An error without a
// status is wrong usage, unless a result could not be written.
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

// exitStatus returns the exit status of probe. A finding outweighs an inconclusive
// cluster: pipelines retry an inconclusive result, and a retry would not help here.
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

// untilInterrupted returns a context that ends, with an interruption as its cause, at
// the first SIGINT or SIGTERM. The second one ends the program at once. stop restores
// the default handling.
//
// Commands with nothing to clean up do not use it: any signal ends them.
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

// ignoreBrokenPipes keeps the program running if the reader of its standard output or
// standard error exits. Writes then fail. Child processes still get SIGPIPE.
func ignoreBrokenPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// An interruption is the signal that ended a command.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted"
	}
	return i.signal.String()
}

// status returns the exit status that shells use for a signal: 130 for SIGINT, 143 for
// SIGTERM.
func (i interruption) status() int {
	number, _ := i.signal.(syscall.Signal)
	return exitSignal + int(number)
}

// nagiosFormat is the format for Nagios and Icinga, which take any exit status and read
// the first line of standard output.
const nagiosFormat = "nagios"

// asksNagios reports whether the arguments of the program ask for nagiosFormat, also if
// other flags are wrong. The last --output counts.
func asksNagios(args []string) (asks bool) {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	if len(args) == 0 || args[0] != "probe" {
		return false
	}
	for i, arg := range args[1:] {
		switch {
		case arg == "-o" || arg == "--output":
			asks = i+2 < len(args) && args[i+2] == nagiosFormat
		case strings.HasPrefix(arg, "-o") || strings.HasPrefix(arg, "--output="):
			asks = slices.Contains([]string{"-o" + nagiosFormat, "-o=" + nagiosFormat, "--output=" + nagiosFormat}, arg)
		}
	}
	return asks
}

// nagiosExit returns the exit status of the program. An error, such as wrong usage, is
// UNKNOWN, and its text is the line.
func nagiosExit(c console, err error) int {
	if e, ok := errors.AsType[exitError](err); ok && e.err == nil {
		return e.status
	}
	text := strings.TrimPrefix(cmp.Or(describe(err), "no result"), "stickwatch: ")
	writeLine(c.out, render.NagiosLine(render.NagiosUnknown, text))
	return int(render.NagiosUnknown)
}
