package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
)

// whereOptions are the flags of where.
type whereOptions struct {
	clusters clusterFlags
	excluded []string
	keys     []string
}

func newWhere(c console) *cobra.Command {
	var o whereOptions
	cmd := &cobra.Command{
		Use:   "where [flags] CLIENT...",
		Short: "Tell which node the balancer's hash sends a client to",
		Long: `where computes, without asking anybody, on which node nginx's ip_hash or hash
lands each client address (or --key), and where it would go with some nodes
ejected. A lone - reads clients from standard input, a line each.

It prints "CLIENT NODE" a line; the node is "unknown" where nginx gives up
hashing and goes on by round robin. Where the file has several clusters, and
--cluster names none, it answers for each whose method is ip_hash or hash:
"CLIENT NODE CLUSTER".

Exit status:
  0  every client was answered
  2  wrong usage, configuration or client; the others were answered if they came
     from standard input`,
		Example: `  # the node of a user who complains
  stickwatch where 203.0.113.7
  # and where he goes when that node is taken out
  stickwatch where --without node2 203.0.113.7
  # how a day's clients are spread
  cut -d' ' -f1 access.log | sort -u | stickwatch where - |
      cut -d' ' -f2 | sort | uniq -c
  # without a file; nodes in the order of nginx's server lines
  stickwatch where --method ip_hash 203.0.113.7 \
      --node a=http://10.0.0.1 --node b=http://10.0.0.2
  # "hash $cookie_user;"
  stickwatch where --method hash --key alice \
      --node a=http://10.0.0.1 --node b=http://10.0.0.2`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, c, args) },
	}
	o.clusters.register(cmd)
	cmd.Flags().StringArrayVar(&o.excluded, "without", nil, "as if the balancer had ejected this `NODE`; repeatable")
	cmd.Flags().StringArrayVar(&o.keys, "key", nil, "a `KEY` of hash instead of a client address; repeatable")
	completeFlagNames(cmd, "without", namesOfNodes)
	explain(cmd, section{"What to compute", []string{"without", "key"}}, fileSection, clusterSection)
	return cmd
}

func (o *whereOptions) run(cmd *cobra.Command, c console, args []string) error {
	if len(args)+len(o.keys) == 0 {
		return errors.New("no client is named: give addresses, --key, or - to read them from standard input")
	}
	if nodes := o.clusters.quick.Nodes; len(nodes) > 0 && len(o.clusters.quick.Balancer) == 0 {
		o.clusters.quick.Balancer = []string{"http://balancer"} // it is not asked, so nobody need know its address
	}
	for _, key := range o.keys {
		if strings.ContainsFunc(key, unicode.IsControl) {
			return fmt.Errorf("--key: %q has control characters, which no key of a request has", render.CleanName(key))
		}
	}
	clusters, err := o.clusters.load(cmd)
	if err != nil {
		return err
	}
	oracles, err := newOracles(clusters, o.excluded, len(o.keys) > 0)
	if err != nil {
		return err
	}
	if len(oracles.left) > 0 {
		fmt.Fprintf(c.err, "stickwatch: left out, for there is nothing to compute: %s\n", render.CleanSentence(strings.Join(oracles.left, ", ")))
	}
	const stdin = "-"
	named := slices.DeleteFunc(slices.Clone(args), func(client string) bool { return client == stdin })
	answers, err := oracles.answers(append(slices.Clone(o.keys), named...))
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c.out, answers); err != nil {
		return err
	}
	if len(named) < len(args) {
		return oracles.stream(c.in, c.out, c.err)
	}
	return nil
}
