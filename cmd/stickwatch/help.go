package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// A section is flags under a heading of their own, in the order in which one
// would think of them.
type section struct {
	title string
	names []string
}

// explain gives a command's help the sections, and its mistakes the names of
// the flags in them. Commands below inherit both.
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

// usage is what stands below a command's long text in its help.
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

// listCommands writes those commands below cmd that belong under a title; it
// writes nothing where there are none.
func listCommands(b *strings.Builder, title string, cmd *cobra.Command, belongs func(*cobra.Command) bool) {
	heading := "\n" + title + ":\n"
	for _, c := range cmd.Commands() {
		if belongs(c) {
			fmt.Fprintf(b, "%s  %-11s %s\n", heading, c.Name(), c.Short)
			heading = ""
		}
	}
}

// usages is a line or more for each flag of s that the command has.
func (s section) usages(cmd *cobra.Command) string {
	const columns = 80
	flags := new(cobra.Command).Flags() // the flag package is cobra's, and not imported here
	flags.SortFlags = false
	for _, name := range s.names {
		if flag := cmd.Flags().Lookup(name); flag != nil {
			flags.AddFlag(flag)
		}
	}
	return flags.FlagUsagesWrapped(columns)
}

// newHelp is cobra's help command, but for names that it does not know: those
// it answers with the help of the program, as if nothing were wrong.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Explain a command or a topic",
		Long: `help explains a command, as --help after the command does, or a topic. Without
either it lists them.`,
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

// commandNames are those of the commands and topics below cmd.
func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

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
