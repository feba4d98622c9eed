package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/wire"
)

// A wireSilences is what the API lists, and what -o json prints.
type wireSilences struct {
	Schema   int           `json:"schema"`
	Silences []wireSilence `json:"silences"`
}

func newSilenceList(c console) *cobra.Command {
	var daemon daemonFlags
	output := newSetting(listFormats[0], oneOf(listFormats))
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
	cmd.Flags().VarP(&output, "output", "o", "a `FORMAT`: "+strings.Join(listFormats, ", "))
	completeFlag(cmd, "output", listFormats...)
	daemon.register(cmd)
	explain(cmd, section{"How to show them", []string{"output"}}, daemonSection)
	return cmd
}

func listSilences(ctx context.Context, c console, client *apiClient, format string) error {
	found := wireSilences{Silences: []wireSilence{}}
	if err := client.call(ctx, http.MethodGet, silencesPath, nil, &found); err != nil {
		return exitError{exitFinding, err}
	}
	found.Schema = wire.Schema
	if format == "json" {
		return writeJSON(c.out, found)
	}
	s := newTextReport(terminalOptions(c.out, c.environ))
	s.silences(found.Silences, time.Now())
	_, err := io.WriteString(c.out, s.String())
	return err
}

// silences writes them as a table.
func (s *textReport) silences(silences []wireSilence, now time.Time) {
	if len(silences) == 0 {
		s.line("No silence is active or planned.")
		return
	}
	rows := [][]span{headings("id", "what", "when", "reason", "author")}
	for _, one := range silences {
		m := dim
		if one.Active {
			m = plain
		}
		rows = append(rows, []span{
			{bold, name(one.ID)}, {m, one.about()}, {m, one.when(now)}, {m, cleanSentence(one.Reason)}, {m, name(one.Author)},
		})
	}
	s.matrix(rows)
}

// about is what a silence is about.
func (w wireSilence) about() string {
	var parts []string
	for _, part := range []string{w.Cluster, w.Node, string(w.Code)} {
		if part != "" {
			parts = append(parts, name(part))
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// when is the time that a silence covers, as seen from now.
func (w wireSilence) when(now time.Time) string {
	days := calendar{now}
	if now.Before(w.From) {
		return fmt.Sprintf("from %s to %s", days.at(w.From), days.at(w.To))
	}
	return fmt.Sprintf("until %s (%s left)", days.at(w.To), formatDuration(max(0, w.To.Sub(now))))
}
