// Stickwatch monitors web applications that run as several nodes behind a load
// balancer, and reports whether users stay on the node that has their session.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/logwriter"
)

func main() {
	os.Exit(run(os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
}

// run runs the command line and returns the exit status.
func run(args []string, c console) int {
	root := newRoot(c)
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if asksNagios(args) {
		return nagiosExit(c, err)
	}
	if text := describe(err); text != "" {
		writeLine(c.err, text)
	}
	return statusOf(err)
}

// flushTimeout bounds the wait, at the end of the program, for a standard output or
// standard error that accepts no data.
const flushTimeout = 5 * time.Second

// writeLine writes a line to a file. It gives up after flushTimeout.
func writeLine(file *os.File, text string) {
	w := logwriter.New(file, nil)
	fmt.Fprintln(w, text)
	w.Flush(flushTimeout)
}

// A console has the files and the environment of a command.
type console struct {
	in, out, err *os.File
	environ      []string
}

// Groups of commands in the help of the program.
const (
	groupInspect = "inspect"
	groupPrepare = "prepare"
	groupProgram = "program"
)

func newRoot(c console) *cobra.Command {
	root := &cobra.Command{
		Use:   "stickwatch COMMAND",
		Short: "Monitor whether users stay on the node that has their session",
		Long: `stickwatch monitors web applications that run as several nodes behind nginx,
Apache, HAProxy or another load balancer. Each user must stay on one node, or
the nodes must share their sessions. If this breaks, users are logged out
although every node answers 200. stickwatch detects it.`,
		Example: `  # a demo cluster on this machine
  stickwatch demo
  # your own cluster, without a configuration file
  stickwatch probe --balancer http://10.0.0.9 --profile tomcat \
      --node node1=http://10.0.0.1:8080 --node node2=http://10.0.0.2:8080
  # which node is this user on?
  stickwatch where -c stickwatch.yml 203.0.113.7`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Version:           versionLine(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown("command", args[0], commandNames(cmd), "stickwatch --help")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().BoolP("help", "h", false, "show the help of a command")
	root.Flags().Bool("version", false, "print the version")
	explain(root, section{"Flags", []string{"help", "version"}})

	addCommands(root, c)
	return root
}

func addCommands(root *cobra.Command, c console) {
	root.AddGroup(
		&cobra.Group{ID: groupInspect, Title: "Inspect clusters"},
		&cobra.Group{ID: groupPrepare, Title: "Set up"},
		&cobra.Group{ID: groupProgram, Title: "About the program"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			cmd.DisableFlagsInUseLine = true // Use shows the place of flags
			root.AddCommand(cmd)
		}
	}
	help := newHelp()
	root.SetHelpCommand(help)
	add(groupInspect, newProbe(c), newServe(c), newWhere(c), newHistory(c), newReport(c), newDemo(c))
	add(groupPrepare, newCheck(c), newInit(c), newFleet(c), newSilence(c), newAcknowledge(c), newNote(c), newToken(c), newDashboards(c))
	add(groupProgram, newCompletion(c), newVersion(c), help)
	root.AddCommand(topics()...)
}
