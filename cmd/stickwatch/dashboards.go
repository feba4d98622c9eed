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
		Long: `dashboards creates a folder with two dashboards for Grafana 11 or newer and
their provisioning, recording and alerting rules for Prometheus, a template for
Zabbix 6.0 or newer, and an example that runs Grafana and Prometheus in
containers. It prints the names of the files.
It replaces existing files of these names and keeps all others.

Exit status:
  0  all files were written
  1  the folder cannot be written
  2  wrong usage`,
		Example: `  stickwatch dashboards monitoring
  # for a provisioned Grafana
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
		return errors.New("the folder is missing: stickwatch dashboards DIR writes to DIR")
	case args[0] == standardOutput:
		return errors.New("dashboards are files and cannot go to standard output: name a folder, or ./- for a folder of that name")
	case len(args) > 1:
		return fmt.Errorf("%q: dashboards takes one folder, and got %q already", args[1], args[0])
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
Prometheus: scrape /metrics of stickwatch serve, and add this to rule_files
  %s
Grafana: import these two, or provision them with the files beside them
  %s
All of it in containers on one machine: see the comments in
  %s
`, below("prometheus", "stickwatch.rules.yml"), below("grafana", "*.json"), below("compose", "compose.yml"))
	return err
}
