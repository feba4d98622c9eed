package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newCompletion is cobra's completion command with its four shells in one
// help.
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
		Short: "Write a script that completes commands in a shell",
		Long: `completion writes what a shell needs to complete stickwatch's commands, flags
and their values. bash needs the package bash-completion, too.`,
		Example: `  # for this session
  source <(stickwatch completion bash)
  # for every session
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
