package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
)

func newSilenceList(c console) *cobra.Command {
	var daemon daemonFlags
	output := newSetting(render.ListFormats[0], oneOf(render.ListFormats))
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List silences that are active, or will be",
		Long: `list tells which silences are active, or planned. Maintenance windows of the
configuration, and announced deployments, are not among them.

Exit status:
  0  they are listed
  1  the daemon refuses, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch silence list
  # end all of them
  stickwatch silence list -o json | jq -r '.silences[].id' |
      xargs stickwatch silence expire`,
		Args: noArguments(nil),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(output.usageError("output"), daemon.server.validate(cmd)); err != nil {
				return err
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			return listSilences(cmd.Context(), c, client, output.value)
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "a `FORMAT`: "+strings.Join(render.ListFormats, ", "))
	completeFlag(cmd, "output", render.ListFormats...)
	daemon.register(cmd)
	explain(cmd, section{"How to show them", []string{"output"}}, daemonSection)
	return cmd
}

func listSilences(ctx context.Context, c console, client *apiClient, format string) error {
	var found struct {
		Silences []render.Silence `json:"silences"`
	}
	if err := client.call(ctx, http.MethodGet, silencesPath, nil, &found); err != nil {
		return exitError{exitFinding, err}
	}
	return render.Silences(c.out, format, found.Silences, time.Now(), terminalOptions(c.out, c.environ))
}
