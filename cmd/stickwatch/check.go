package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/render"
)

func newCheck(c console) *cobra.Command {
	var file, receiver string
	var schema bool
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Validate a configuration file",
		Long: `check reads a configuration and tells everything that is wrong with it at once:
file, line, column, the path of the key, and what was expected. It asks nobody
on the network. With --schema it prints the JSON Schema of the file instead, for
editors. With --notify it sends a test message to a receiver of the file, and
then that it is over, as those of an incident.

Exit status:
  0  the file is valid, or the receiver has the message
  1  the receiver does not have it
  2  the file is not valid, or cannot be read`,
		Example: `  stickwatch check
  stickwatch check -c /etc/stickwatch/stickwatch.yml
  # for an editor: # yaml-language-server: $schema=stickwatch.schema.json
  stickwatch check --schema > stickwatch.schema.json
  # does the channel get what it should?
  stickwatch check --notify ops`,
		Args: noArguments(func(arg string) string { return "stickwatch check -c " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			notify := cmd.Flags().Changed("notify")
			switch {
			case notify && isEmptyValue(receiver):
				return emptyFlag("notify")
			case notify && schema:
				return errors.New("--notify and --schema: one at a time")
			case notify:
				return testReceiver(cmd.Context(), c, file, receiver)
			case schema:
				return printSchema(c)
			default:
				return checkFile(c, file)
			}
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", defaultFile, "configuration `FILE`")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the file")
	cmd.Flags().StringVar(&receiver, "notify", "", "send a test message to the `RECEIVER` of the file")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	completeFlagNames(cmd, "notify", namesOfReceivers)
	explain(cmd, section{"Flags", []string{"config", "schema", "notify"}})
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
		render.Count(len(cfg.Clusters), "cluster", "clusters"), clusterNames(cfg), render.Count(nodes, "node", "nodes"))
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
