package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

func newCheck(c console) *cobra.Command {
	var file string
	var schema bool
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Validate a configuration file",
		Long: `check reads a configuration and tells everything that is wrong with it at once:
file, line, column, the path of the key, and what was expected. It asks nobody
on the network. With --schema it prints the JSON Schema of the file instead, for
editors.

Exit status:
  0  the file is valid
  2  it is not, or cannot be read`,
		Example: `  stickwatch check
  stickwatch check -c /etc/stickwatch/stickwatch.yml
  # for an editor: # yaml-language-server: $schema=stickwatch.schema.json
  stickwatch check --schema > stickwatch.schema.json`,
		Args: noArguments(func(arg string) string { return "stickwatch check -c " + arg }),
		RunE: func(*cobra.Command, []string) error {
			if schema {
				return printSchema(c)
			}
			return checkFile(c, file)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", defaultFile, "configuration `FILE`")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the file")
	explain(cmd, section{"Flags", []string{"config", "schema"}})
	return cmd
}

func checkFile(c console, file string) error {
	cfg, err := loadFile(file, "name one with -c FILE")
	if err != nil {
		return err
	}
	nodes := 0
	for _, cluster := range cfg.Clusters {
		nodes += len(cluster.Nodes)
	}
	_, err = fmt.Fprintf(c.out, "%s is valid: %s (%s), %s\n", file,
		count(len(cfg.Clusters), "cluster", "clusters"), clusterNames(cfg), count(nodes, "node", "nodes"))
	return err
}

func printSchema(c console) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(schema, '\n'))
	return err
}
