package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// whereOptions are the flags of where.
type whereOptions struct {
	clusters clusterFlags
	excluded []string
	keys     []string
	language languageFlag
}

func newWhere(c console) *cobra.Command {
	options := whereOptions{language: newLanguageFlag()}
	cmd := &cobra.Command{
		Use:   "where [flags] CLIENT...",
		Short: "Compute the node of a client under ip_hash or hash",
		Long: `where computes, without any request, the node that nginx's ip_hash or hash
selects for each client address (or --key), optionally with some nodes ejected.
The argument - reads clients from standard input, a line each.

It prints a line "CLIENT NODE" for each client. The node is "unknown" if nginx
falls back to round robin. If the file has several clusters and --cluster is
missing, it prints "CLIENT NODE CLUSTER" for each cluster whose method is
ip_hash or hash.

Exit status:
  0  the nodes of all clients were printed
  2  wrong usage, invalid configuration or invalid client; for clients from
     standard input, the nodes of the valid ones were printed`,
		Example: `  # the node of a user
  stickwatch where 203.0.113.7
  # the node of the same user without node2
  stickwatch where --without node2 203.0.113.7
  # the distribution of a day's clients
  cut -d' ' -f1 access.log | sort -u | stickwatch where - |
      cut -d' ' -f2 | sort | uniq -c
  # without a file; nodes in the order of nginx's server lines
  stickwatch where --method ip_hash 203.0.113.7 \
      --node a=http://10.0.0.1 --node b=http://10.0.0.2
  # "hash $cookie_user;"
  stickwatch where --method hash --key alice \
      --node a=http://10.0.0.1 --node b=http://10.0.0.2`,
		RunE: func(cmd *cobra.Command, args []string) error { return options.run(cmd, c, args) },
	}
	options.clusters.register(cmd)
	cmd.Flags().StringArrayVar(&options.excluded, "without", nil, "exclude this `NODE`, as if the balancer had ejected it; repeatable")
	cmd.Flags().StringArrayVar(&options.keys, "key", nil, "`KEY` of hash instead of a client address; repeatable")
	options.language.register(cmd)
	completeFlagNames(cmd, "without", namesOfNodes)
	explain(cmd, section{"Computation", []string{"without", "key"}}, fileSection, clusterSection, languageSection)
	return cmd
}

func (o *whereOptions) run(cmd *cobra.Command, c console, args []string) error {
	if len(args)+len(o.keys) == 0 {
		return errors.New("the client is missing: give addresses, --key, or - for standard input")
	}
	if nodes := o.clusters.quick.Nodes; len(nodes) > 0 && len(o.clusters.quick.Balancer) == 0 {
		o.clusters.quick.Balancer = []string{"http://balancer"} // a placeholder: no request is sent
	}
	for _, key := range o.keys {
		if strings.ContainsFunc(key, unicode.IsControl) {
			return fmt.Errorf("--key: %q has control characters", render.CleanName(key))
		}
	}
	if err := o.language.usageError("language"); err != nil {
		return err
	}
	clusters, err := o.clusters.load(cmd)
	if err != nil {
		return err
	}
	reader := o.language.reader(o.clusters.configured)
	oracles, err := newOracles(clusters, o.excluded, len(o.keys) > 0)
	if err != nil {
		return err
	}
	if len(oracles.skipped) > 0 {
		fmt.Fprintln(c.err, "stickwatch: "+reader.Translate("skipped, because the method is not computable: %s", render.CleanSentence(strings.Join(oracles.skipped, ", "))))
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
		return oracles.stream(c.in, c.out, c.err, reader)
	}
	return nil
}

// An oracle computes the nodes of clients in one cluster.
type oracle struct {
	cluster string
	nodes   []probes.Node
	picker  balance.Picker
	out     []int // indexes of the excluded nodes
	keys    bool  // clients are keys of any form instead of addresses
}

// oracles has an oracle for each cluster whose method is computable.
type oracles struct {
	list    []*oracle
	named   bool     // there are several clusters, so that answers name them
	skipped []string // clusters without an oracle, each with its method
}

// newOracles returns the oracles of clusters, with some nodes excluded. Keys need method
// hash; a single cluster of unknown method is taken to have it.
func newOracles(clusters []*probes.Cluster, without []string, keys bool) (oracles, error) {
	all := oracles{named: len(clusters) > 1}
	for _, c := range clusters {
		o, ok := newOracle(c, keys, !all.named)
		if !ok {
			all.skipped = append(all.skipped, fmt.Sprintf("%s (%s)", c.Name, c.Balancer.Method))
			continue
		}
		all.list = append(all.list, o)
	}
	switch {
	case len(all.list) > 0:
		return all, all.exclude(without)
	case !all.named:
		return all, fmt.Errorf("the node of a client can be computed for ip_hash, hash and source only, and the method is %s: give --method, or balancer.method in the file", clusters[0].Balancer.Method)
	case keys:
		return all, fmt.Errorf("the node of a key can be computed for hash only, which no cluster of the file has: %s", strings.Join(all.skipped, ", "))
	default:
		return all, fmt.Errorf("the node of a client can be computed for ip_hash, hash and source only, which no cluster of the file has: %s", strings.Join(all.skipped, ", "))
	}
}

// newOracle returns the oracle of a cluster. ok is false if its method is not
// computable. The only cluster of a call accepts keys whatever its method is.
func newOracle(c *probes.Cluster, keys, only bool) (o *oracle, ok bool) {
	cluster := *c
	method := &cluster.Balancer.Method
	if keys && only && *method == probes.MethodUnknown {
		*method = probes.MethodHash
	}
	if *method != probes.MethodHash && (*method != probes.MethodIPHash && *method != probes.MethodSource || keys && !only) {
		return nil, false
	}
	o = &oracle{
		cluster: c.Name, nodes: cluster.Nodes,
		keys: *method == probes.MethodHash && (keys || !cluster.Balancer.HashesAddress()),
	}
	if cluster.Unordered || len(cluster.Nodes) == 0 {
		return nil, false
	}
	if o.keys { // the caller supplies the value that the balancer would read, as from a cookie
		cluster.Balancer.HashKey = "$supplied"
	}
	o.picker, _ = checks.Oracle(&cluster)
	return o, true
}

// exclude excludes nodes, each in the clusters that have it.
func (all oracles) exclude(ids []string) error {
	var errs []error
	for _, id := range ids {
		var known []string
		found := false
		for _, o := range all.list {
			for i, n := range o.nodes {
				known = append(known, n.ID)
				if n.ID == id {
					o.out, found = append(o.out, i), true
				}
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("--without: there is no node %q: known nodes: %s", id, strings.Join(known, ", ")))
		}
	}
	return errors.Join(errs...)
}

// node returns the id of the node of a client; "unknown" if it cannot be computed. The
// error states that the client is invalid.
func (o *oracle) node(client string) (string, error) {
	if i, ok := o.picker.Pick(client, o.out...); ok {
		return o.nodes[i].ID, nil
	}
	if !o.keys {
		if _, err := netip.ParseAddr(client); err != nil {
			return "", noAddress(client)
		}
	}
	return string(checks.Unknown), nil
}

// noAddress is the error of a client that is not an address where one is needed.
type noAddress string

func (e noAddress) phrase() phrase.Phrase {
	return phrase.New("%q is not an IP address", render.CleanName(string(e)))
}

func (e noAddress) Error() string { return e.phrase().String() }

// answer writes a line for each cluster that accepts the client. The error states that
// none does.
func (all oracles) answer(out io.StringWriter, client string) error {
	var wrong error
	accepted := false
	for _, o := range all.list {
		node, err := o.node(client)
		if err != nil {
			wrong = err
			continue
		}
		accepted = true
		out.WriteString(client)
		out.WriteString(" ")
		out.WriteString(node)
		if all.named {
			out.WriteString(" ")
			out.WriteString(o.cluster)
		}
		out.WriteString("\n")
	}
	if accepted {
		return nil
	}
	return wrong
}

// answers returns the lines of all clients, or all errors in clients.
func (all oracles) answers(clients []string) (string, error) {
	var lines strings.Builder
	var errs []error
	for _, client := range clients {
		errs = append(errs, all.answer(&lines, client))
	}
	return lines.String(), errors.Join(errs...)
}

const (
	maxLine          = 1 << 20 // bytes; a list of clients has no longer line
	maxReportedLines = 10      // invalid lines; a file of another format may have millions
)

// stream answers clients line by line. Errors of invalid lines go to warnings; the
// other lines are still answered.
func (all oracles) stream(in io.Reader, out, warnings io.Writer, reader phrase.Reader) error {
	answers := bufio.NewWriterSize(out, 64<<10)
	lines := bufio.NewScanner(flushingReader{in, answers})
	lines.Buffer(make([]byte, 64<<10), maxLine)
	number, wrong := 0, 0
	for lines.Scan() {
		number++
		client := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if client == "" {
			continue
		}
		if err := all.answer(answers, client); err != nil {
			if wrong++; wrong <= maxReportedLines {
				fmt.Fprintln(warnings, "stickwatch: "+reader.Translate("line %d: %s", number, noAddress(client).phrase()))
			}
		}
	}
	if err := errors.Join(answers.Flush(), tooLong(lines.Err(), number+1)); err != nil {
		return err
	}
	if more := wrong - maxReportedLines; more > 0 {
		fmt.Fprintln(warnings, "stickwatch: "+reader.Translate("and %s", reader.Count(more, "more invalid line", "more invalid lines")))
	}
	if wrong > 0 {
		return exitError{status: exitUsage}
	}
	return nil
}

func tooLong(err error, line int) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d KiB: the input is not a list of clients", line, maxLine>>10)
	}
	return err
}

// A flushingReader flushes the answers before it reads more input, so that
// `tail -f | stickwatch where -` answers at once.
type flushingReader struct {
	io.Reader
	answers *bufio.Writer
}

func (r flushingReader) Read(b []byte) (int, error) {
	if err := r.answers.Flush(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
