package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// describe tells err to whoever made the call: a line a mistake, and for those
// of a file its lines with a caret below each. "" when all has been said.
func describe(err error) string {
	if e, ok := errors.AsType[exitError](err); ok {
		err = e.err
	}
	if err == nil {
		return ""
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var parts []string
		for _, e := range joined.Unwrap() {
			parts = append(parts, describe(e))
		}
		return strings.Join(parts, "\n")
	}
	if problems, ok := errors.AsType[config.Problems](err); ok && problems[0].File != "" {
		return problems.Excerpt()
	}
	return "stickwatch: " + strings.ReplaceAll(err.Error(), "\n", "\nstickwatch: ")
}

// flagError is what pflag says of a call, with what to do. The flags are
// those that the command has.
func flagError(cmd *cobra.Command, err error, flags []string) error {
	text := err.Error()
	name := ""
	if long, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		name, text = long, "unknown flag --"+long
	} else if _, letters, ok := strings.Cut(text, " in -"); ok && len(letters) > 1 {
		name = letters // -node is -n -o -d -e
	}
	if near := nearest(name, flags); near != "" {
		text += ": did you mean --" + near + "?"
	}
	return fmt.Errorf("%s (see: %s --help)", text, cmd.CommandPath())
}

// noArguments refuses arguments of a command that has none but flags. instead
// is how an argument may have been meant; nil: there is no such thing.
func noArguments(instead func(arg string) string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return nil
		case instead == nil:
			return fmt.Errorf("%q: %s takes no arguments", args[0], cmd.CommandPath())
		default:
			return fmt.Errorf("%q: %s takes flags only: did you mean %s?", args[0], cmd.CommandPath(), instead(args[0]))
		}
	}
}

// unknown tells that there is no such thing of that name, and which one may
// have been meant.
func unknown(what, name string, known []string, see string) error {
	hint := ""
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf(": did you mean %q?", near)
	}
	return fmt.Errorf("there is no %s %q%s (see: %s)", what, name, hint, see)
}

// nearest is the known word of which word may be a slip; "" when there is
// none. Cobra measures that for commands, so for once words are commands.
func nearest(word string, known []string) string {
	words := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, k := range known {
		words.AddCommand(&cobra.Command{Use: k, Run: func(*cobra.Command, []string) {}})
	}
	if near := words.SuggestionsFor(word); word != "" && len(near) > 0 {
		return near[0]
	}
	return ""
}
