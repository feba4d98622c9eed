package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"stickwatch/checks"
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
