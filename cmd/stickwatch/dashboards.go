package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"stickwatch/dashboards"
)

func newDashboards(c console) *cobra.Command {
	return &cobra.Command{
		Use:   "dashboards DIR",
		Short: "Write dashboards for Grafana and rules for Prometheus",
		Long: `dashboards writes to a folder, which it makes: two dashboards for Grafana 11 or
newer, files that provision them, recording and alerting rules for Prometheus,
and an example that runs all of it in containers. It prints the names of the
files. Those that are there by these names are replaced; others stay.

Exit status:
  0  all files are written
  1  the folder cannot be written
  2  wrong usage`,
		Example: `  stickwatch dashboards monitoring
  # for a Grafana that is provisioned
  stickwatch dashboards /tmp/sw && cp /tmp/sw/grafana/*.json \
      /var/lib/grafana/dashboards/`,
		Args: oneFolder,
		RunE: func(_ *cobra.Command, args []string) error { return writeDashboards(c, args[0]) },
	}
}

// oneFolder demands one argument that is not empty.
func oneFolder(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return errors.New("no folder is named: stickwatch dashboards DIR writes to DIR")
	case args[0] == standardOutput:
		return errors.New("they are files, and do not go to standard output: name a folder, or ./- if it has that name")
	case len(args) > 1:
		return fmt.Errorf("%q: one folder is enough, and it is %q", args[1], args[0])
	default:
		return nil
	}
}

func writeDashboards(c console, dir string) error {
	written, err := dashboards.Write(dir)
	if err != nil {
		return exitError{exitFinding, err}
	}
	for _, file := range written {
		if _, err := fmt.Fprintln(c.out, file); err != nil {
			return err
		}
	}
	below := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	_, err = fmt.Fprintf(c.err, `
Prometheus: scrape /metrics of stickwatch serve, and load by rule_files
  %s
Grafana: import these two, or provision them as the files beside them do
  %s
All of it in containers, on one machine: the head of this tells how
  %s
`, below("prometheus", "stickwatch.rules.yml"), below("grafana", "*.json"), below("compose", "compose.yml"))
	return err
}
