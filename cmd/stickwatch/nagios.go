package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"stickwatch/internal/render"
)

// nagiosFormat is the format for Nagios and Icinga, which take any exit status and read
// the first line of standard output.
const nagiosFormat = "nagios"

// asksNagios reports whether the arguments of the program ask for nagiosFormat, also if
// other flags are wrong.
func asksNagios(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	if len(args) == 0 || args[0] != "probe" {
		return false
	}
	for i, arg := range args[1:] {
		value, joined := strings.CutPrefix(arg, "--output=")
		short, joinedShort := strings.CutPrefix(arg, "-o")
		switch {
		case joined && value == nagiosFormat, joinedShort && strings.TrimPrefix(short, "=") == nagiosFormat:
			return true
		case arg == "-o" || arg == "--output":
			return i+2 < len(args) && args[i+2] == nagiosFormat
		}
	}
	return false
}

// nagiosExit returns the exit status of the program. An error, such as wrong usage, is
// UNKNOWN, and its text is the line.
func nagiosExit(c console, err error) int {
	if e, ok := errors.AsType[exitError](err); ok && e.err == nil {
		return e.status
	}
	text := strings.TrimPrefix(cmp.Or(describe(err), "no result"), "stickwatch: ")
	var line strings.Builder
	_ = render.NagiosLine(&line, render.NagiosUnknown, text) // a builder gives no error
	writeLine(c.out, strings.TrimSuffix(line.String(), "\n"))
	return int(render.NagiosUnknown)
}
