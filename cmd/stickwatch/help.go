package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// A section is a group of flags in the help of a command, in order.
type section struct {
	title string
	names []string
}

// explain sets the sections of a command's help, and the flags that errors suggest.
// Subcommands inherit both.
func explain(cmd *cobra.Command, sections ...section) {
	var flags []string
	for _, s := range sections {
		flags = append(flags, s.names...)
	}
	cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.OutOrStderr(), usage(cmd, sections))
		return err
	})
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err, flags) })
}

// usage returns the help of a command after its long text.
func usage(cmd *cobra.Command, sections []section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	for _, group := range cmd.Groups() {
		listCommands(&b, group.Title, cmd, func(c *cobra.Command) bool { return c.GroupID == group.ID })
	}
	listCommands(&b, "Topics (stickwatch help TOPIC)", cmd, (*cobra.Command).IsAdditionalHelpTopicCommand)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, s := range sections {
		if text := s.usages(cmd); text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s", s.title, text)
		}
	}
	return b.String()
}

// listCommands writes the matching subcommands under a title; nothing if there are none.
func listCommands(b *strings.Builder, title string, cmd *cobra.Command, belongs func(*cobra.Command) bool) {
	heading := "\n" + title + ":\n"
	for _, c := range cmd.Commands() {
		if belongs(c) {
			fmt.Fprintf(b, "%s  %-11s %s\n", heading, c.Name(), c.Short)
			heading = ""
		}
	}
}

// usages returns the lines for the flags of s that the command has.
func (s section) usages(cmd *cobra.Command) string {
	const columns = 80
	flags := new(cobra.Command).Flags() // an empty flag set, without importing pflag
	flags.SortFlags = false
	for _, name := range s.names {
		if flag := cmd.Flags().Lookup(name); flag != nil {
			flags.AddFlag(flag)
		}
	}
	return flags.FlagUsagesWrapped(columns)
}

// newHelp returns a help command that reports unknown names. Cobra's own one prints the
// help of the program instead.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Show the help of a command or a topic",
		Long: `help shows the help of a command, as --help does, or a topic. Without an
argument it lists commands and topics.`,
		Example: `  stickwatch help probe
  stickwatch help findings`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return commandNames(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			explained, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknown("command or topic", strings.Join(args, " "), commandNames(cmd.Root()), "stickwatch help")
			}
			return explained.Help()
		},
	}
}

// commandNames returns the names of the subcommands and topics of cmd.
func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// describe returns the text of an error: a line for each mistake; for mistakes in a file
// also the lines of the file with a caret. "" if there is nothing to print.
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

// flagError adds a suggestion to an error of pflag. flags are the flags of the command.
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

// noArguments refuses arguments. instead returns the call that an argument was probably
// meant for; nil: none.
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

// unknown returns an error for an unknown name of a kind, with the nearest known name.
func unknown(kind, name string, known []string, see string) error {
	hint := ""
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf(": did you mean %q?", near)
	}
	return fmt.Errorf("there is no %s %q%s (see: %s)", kind, name, hint, see)
}

// nearest returns the known word that is most similar to word; "" if none is. It uses
// cobra's suggestions for commands.
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
