package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

func newCheck(c console) *cobra.Command {
	var file string
	var schema bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate a configuration file",
		Long: `check reads a configuration and tells everything that is wrong with it at once:
file, line, column, the path of the key, and what was expected. It asks nobody
on the network. With --schema it prints the JSON Schema of the file instead, for
editors.`,
		Example: `  stickwatch check -c stickwatch.yml
  stickwatch check --schema > stickwatch.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if schema {
				return printSchema(c)
			}
			return checkFile(c, file)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", defaultFile, "configuration `file`")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the file")
	return cmd
}

func checkFile(c console, file string) error {
	cfg, err := config.Load(file)
	if problems, ok := errors.AsType[config.Problems](err); ok {
		fmt.Fprintln(c.err, problems.Excerpt())
		return exitError(exitUsage)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s here: name the file with --config", file)
	}
	if err != nil {
		return err
	}
	nodes := 0
	for _, cluster := range cfg.Clusters {
		nodes += len(cluster.Nodes)
	}
	fmt.Fprintf(c.out, "%s is valid: clusters %s, %d nodes\n", file, clusterNames(cfg), nodes)
	return nil
}

func printSchema(c console) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(schema, '\n'))
	return err
}
