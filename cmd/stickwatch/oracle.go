package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// An oracle answers where clients go.
type oracle struct {
	nodes  []probes.Node
	picker balance.Picker
	out    []int // indexes of the nodes to do without
	keys   bool  // clients are keys of any form, not addresses
}

// newOracle returns the oracle of the only cluster there is, without some of
// its nodes. Keys make hash of a method that is not known.
func newOracle(clusters []*probes.Cluster, without []string, keys bool) (*oracle, error) {
	if len(clusters) > 1 {
		return nil, errors.New("the file has several clusters: choose one with --cluster NAME")
	}
	cluster := *clusters[0]
	method := &cluster.Balancer.Method
	if keys && *method == probes.MethodUnknown {
		*method = probes.MethodHash
	}
	if *method != probes.MethodIPHash && *method != probes.MethodHash {
		return nil, fmt.Errorf("where a client lands can be computed for ip_hash and hash, and the balancer's method is %s: give --method, or balancer.method in the file", *method)
	}
	o := &oracle{nodes: cluster.Nodes, keys: *method == probes.MethodHash && (keys || cluster.Balancer.HashKey != "$remote_addr")}
	o.picker, _ = checks.Oracle(&cluster) // what is hashed here need not be known: it is given
	return o, o.doWithout(without)
}

func (o *oracle) doWithout(ids []string) error {
	var known []string
	for _, n := range o.nodes {
		known = append(known, n.ID)
	}
	var errs []error
	for _, id := range ids {
		i := slices.Index(known, id)
		if i < 0 {
			errs = append(errs, fmt.Errorf("--without: there is no node %q: there are %s", id, strings.Join(known, ", ")))
			continue
		}
		o.out = append(o.out, i)
	}
	return errors.Join(errs...)
}

// node is the id of the node that a client goes to, unknown where nobody can
// tell. The error says that the client is none.
func (o *oracle) node(client string) (string, error) {
	if i, ok := o.picker.Pick(client, o.out...); ok {
		return o.nodes[i].ID, nil
	}
	if !o.keys {
		if _, err := netip.ParseAddr(client); err != nil {
			return "", fmt.Errorf("%q is no IP address", name(client))
		}
	}
	return string(checks.Unknown), nil
}

// answers are a line for each client, or all that is wrong with clients.
func (o *oracle) answers(clients []string) (string, error) {
	var lines strings.Builder
	var errs []error
	for _, client := range clients {
		node, err := o.node(client)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		lines.WriteString(client + " " + node + "\n")
	}
	return lines.String(), errors.Join(errs...)
}

const (
	maxLine = 1 << 20 // bytes; what is longer is no list of clients
	maxTold = 10      // wrong lines; a log of another form has millions
)

// stream answers clients a line at a time. A bad line is told to complaints
// and does not stop the rest, for the input may be the log of a month.
func (o *oracle) stream(in io.Reader, out, complaints io.Writer) error {
	answers := bufio.NewWriterSize(out, 64<<10)
	lines := bufio.NewScanner(patient{in, answers})
	lines.Buffer(make([]byte, 64<<10), maxLine)
	number, wrong := 0, 0
	for lines.Scan() {
		number++
		client := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if client == "" {
			continue
		}
		node, err := o.node(client)
		if err != nil {
			if wrong++; wrong <= maxTold {
				fmt.Fprintf(complaints, "stickwatch: line %d: %v\n", number, err)
			}
			continue
		}
		answers.WriteString(client)
		answers.WriteByte(' ')
		answers.WriteString(node)
		answers.WriteByte('\n')
	}
	if err := errors.Join(answers.Flush(), tooLong(lines.Err(), number+1)); err != nil {
		return err
	}
	if more := wrong - maxTold; more > 0 {
		fmt.Fprintf(complaints, "stickwatch: and %s\n", count(more, "more line like that", "more lines like that"))
	}
	if wrong > 0 {
		return exitError{status: exitUsage}
	}
	return nil
}

func tooLong(err error, line int) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d KiB: this is no list of clients", line, maxLine>>10)
	}
	return err
}

// patient input shows what was answered before it waits for more, so that
// `tail -f | stickwatch where -` answers at once, and a file in large pieces.
type patient struct {
	io.Reader
	answers *bufio.Writer
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.answers.Flush(); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}
