package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// newCompletion replaces cobra's completion command, which has a subcommand a shell.
func newCompletion(c console) *cobra.Command {
	write := map[string]func(*cobra.Command) error{
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(c.out, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(c.out) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(c.out, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(c.out) },
	}
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `completion prints a script with which a shell completes stickwatch's commands,
flags and values. bash also needs the package bash-completion.`,
		Example: `  # for the current shell
  source <(stickwatch completion bash)
  # permanently
  stickwatch completion bash > /etc/bash_completion.d/stickwatch
  stickwatch completion zsh > "${fpath[1]}/_stickwatch"
  stickwatch completion fish > ~/.config/fish/completions/stickwatch.fish
  stickwatch completion powershell >> $PROFILE`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("completion takes the name of one shell: %s", joinWords(shells))
			case write[args[0]] == nil:
				return unknown("completion for", args[0], shells, "stickwatch completion --help")
			default:
				return nil
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error { return write[args[0]](cmd.Root()) },
	}
}

// The functions below complete names from the configuration of -c. Without a valid
// configuration there are no completions: a shell cannot show errors.

// A completer returns names of a configuration, each with an optional description after a
// tab.
type completer func(cmd *cobra.Command, cfg *config.Config) []string

// completeFlagNames completes the values of a flag with names of the configuration.
func completeFlagNames(cmd *cobra.Command, flag string, names completer) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		file, err := cmd.Flags().GetString("config")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cfg, err := config.Load(file)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(cmd, cfg), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // there is no such flag
	}
}

func namesOfClusters(_ *cobra.Command, cfg *config.Config) []string {
	var list []string
	for _, c := range cfg.Clusters {
		list = append(list, c.Name)
	}
	return list
}

// namesOfNodes returns the ids of the nodes in the clusters of --cluster; all without it.
func namesOfNodes(cmd *cobra.Command, cfg *config.Config) []string {
	chosen := make(map[string]bool)
	if flag := cmd.Flags().Lookup("cluster"); flag != nil && flag.Changed {
		names, err := cmd.Flags().GetStringArray("cluster")
		if err != nil {
			names = []string{flag.Value.String()}
		}
		for _, name := range names {
			chosen[name] = true
		}
	}
	var list []string
	for _, c := range cfg.Clusters {
		if len(chosen) > 0 && !chosen[c.Name] {
			continue
		}
		for _, n := range c.Nodes {
			list = append(list, n.ID+"\t"+c.Name)
		}
	}
	return list
}

func namesOfReceivers(_ *cobra.Command, cfg *config.Config) []string {
	return cfg.Alerting.ReceiverNames()
}
