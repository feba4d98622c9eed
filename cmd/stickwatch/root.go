package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// A console is where a command reads and writes.
type console struct {
	in, out, err *os.File
	environ      []string
}

func newRoot(c console) *cobra.Command {
	root := &cobra.Command{
		Use:   "stickwatch",
		Short: "Watch whether users stay where their sessions are",
		Long: `stickwatch watches web applications that run as several nodes behind nginx,
Apache, HAProxy or the like, where a user must stay on one node or have a
session that all nodes share. When that breaks, users are thrown out although
every node answers 200. stickwatch sees it.`,
		Example: `  stickwatch demo
  stickwatch probe --balancer http://10.0.0.9 --node node1=http://10.0.0.1:8080 --node node2=http://10.0.0.2:8080 --profile tomcat
  stickwatch probe -c stickwatch.yml -o json
  stickwatch where -c stickwatch.yml 203.0.113.7`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.AddCommand(newProbe(c), newDemo(c), newWhere(c), newCheck(c), newVersion(c))
	root.AddCommand(topics()...)
	return root
}

// describe says what was wrong with a call, and where to read on.
func describe(err error) string {
	if problems, ok := errors.AsType[config.Problems](err); ok {
		return problems.Error()
	}
	text := "stickwatch: " + err.Error()
	if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "unknown flag") {
		text += "\nTry: stickwatch --help"
	}
	return text
}
