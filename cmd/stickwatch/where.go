package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

func newWhere(c console) *cobra.Command {
	var clusters clusterFlags
	var without, keys []string
	cmd := &cobra.Command{
		Use:   "where CLIENT...",
		Short: "Tell which node the balancer's hash sends a client to",
		Long: `where computes, without asking anybody, on which node nginx's ip_hash or hash
lands each client address (or --key), and where it would go with some nodes
ejected. A lone - reads clients from standard input, a line each.

It prints "CLIENT NODE" a line; the node is "unknown" where nginx gives up
hashing and goes on by round robin.`,
		Example: `  stickwatch where 203.0.113.7 2001:db8::1
  stickwatch where --without node2 203.0.113.7
  cut -d' ' -f1 access.log | sort -u | stickwatch where -
  stickwatch where --method ip_hash --balancer http://lb --node a=http://10.0.0.1 --node b=http://10.0.0.2 203.0.113.7`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := newOracle(cmd, &clusters, without, len(keys) > 0)
			if err != nil {
				return err
			}
			return o.answer(c, append(slices.Clone(keys), args...), len(keys) > 0)
		},
	}
	clusters.register(cmd)
	cmd.Flags().StringArrayVar(&without, "without", nil, "as if the balancer had ejected this `node`; repeatable")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "a `key` of hash instead of a client address; repeatable")
	return cmd
}

// An oracle answers where clients go.
type oracle struct {
	cluster *probes.Cluster
	picker  balance.Picker
	out     []int // indexes of the nodes to do without
	keys    bool  // clients are keys of any form, not addresses
}

func newOracle(cmd *cobra.Command, flags *clusterFlags, without []string, keys bool) (*oracle, error) {
	clusters, err := flags.load(cmd)
	if err != nil {
		return nil, err
	}
	if len(clusters) > 1 {
		return nil, errors.New("the file has several clusters: choose one with --cluster")
	}
	o := &oracle{cluster: clusters[0]}
	method := o.cluster.Balancer.Method
	if keys && method == probes.MethodUnknown {
		method = probes.MethodHash
	}
	if method != probes.MethodIPHash && method != probes.MethodHash {
		return nil, fmt.Errorf("where a client lands can be computed for ip_hash and hash, and the method of %s is %s: set balancer.method or --method", o.cluster.Name, method)
	}
	o.keys = method == probes.MethodHash && (keys || o.cluster.Balancer.HashKey != "$remote_addr")
	asked := *o.cluster
	asked.Balancer.Method = method
	o.picker, _ = checks.Oracle(&asked)
	var unknown []error
	for _, id := range without {
		i := slices.IndexFunc(o.cluster.Nodes, func(n probes.Node) bool { return n.ID == id })
		if i < 0 {
			unknown = append(unknown, fmt.Errorf("--without: %q is no node of %s", id, o.cluster.Name))
			continue
		}
		o.out = append(o.out, i)
	}
	return o, errors.Join(unknown...)
}

// answer tells where each client goes. Clients named in the call are all
// checked before the first is answered; those on standard input as they come.
func (o *oracle) answer(c console, clients []string, keys bool) error {
	if len(clients) == 0 {
		return errors.New("no client is named: give addresses, --key, or - to read them from standard input")
	}
	out := bufio.NewWriter(c.out)
	defer out.Flush()
	if len(clients) == 1 && clients[0] == "-" && !keys {
		return o.stream(c, out)
	}
	var wrong []error
	for _, client := range clients {
		if err := o.valid(client); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	for _, client := range clients {
		fmt.Fprintln(out, client, o.node(client))
	}
	return nil
}

// stream answers a line at a time. A bad line is told and does not stop the
// rest, for the input may be the log of a month.
func (o *oracle) stream(c console, out io.Writer) error {
	lines := bufio.NewScanner(c.in)
	lines.Buffer(nil, 1<<20)
	failed := false
	for n := 1; lines.Scan(); n++ {
		client := strings.TrimSpace(lines.Text())
		if client == "" {
			continue
		}
		if err := o.valid(client); err != nil {
			fmt.Fprintf(c.err, "stickwatch: line %d: %v\n", n, err)
			failed = true
			continue
		}
		fmt.Fprintln(out, client, o.node(client))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading clients: %w", err)
	}
	if failed {
		return exitError(exitUsage)
	}
	return nil
}

func (o *oracle) valid(client string) error {
	if o.keys {
		return nil
	}
	if _, err := netip.ParseAddr(client); err != nil {
		return fmt.Errorf("%q is no IP address", probes.Clean(client, 64))
	}
	return nil
}

func (o *oracle) node(client string) string {
	index, ok := o.picker.Pick(client, o.out...)
	if !ok {
		return string(checks.Unknown)
	}
	return o.cluster.Nodes[index].ID
}
