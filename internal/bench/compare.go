package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"

	"stickwatch/internal/demo"
)

// describeFound prints the configuration of clusters whose nodes are found, and serves their
// source.
func (o options) describeFound(all []*demo.Cluster) (end func(), err error) {
	fmt.Println(foundLine)
	fmt.Println("clusters:")
	end = func() {}
	zone, server := make(records), ""
	if o.nodesFrom == "dns" {
		if server, end, err = zone.serve(); err != nil {
			return nil, err
		}
	}
	for i, c := range all {
		name := clusterName(i)
		describe(name, c)
		if o.nodesFrom == "dns" {
			zone.add(name, c)
			fmt.Printf("    nodes_from: {dns: {name: %s, type: SRV, server: %q}}\n", name, server)
			continue
		}
		path, err := writeTargets(name, c)
		if err != nil {
			return nil, err
		}
		fmt.Printf("    nodes_from: {file: {path: %q}}\n", path)
	}
	return end, nil
}

// writeTargets writes the nodes of a cluster as a list of target groups.
func writeTargets(name string, c *demo.Cluster) (path string, err error) {
	if path, err = filepath.Abs(name + ".json"); err != nil {
		return "", err
	}
	var targets []string
	for _, n := range c.Nodes {
		targets = append(targets, strconv.Quote(strings.TrimPrefix(n.URL(), "http://")))
	}
	return path, os.WriteFile(path, fmt.Appendf(nil, `[{"targets": [%s]}]`, strings.Join(targets, ",")), 0o600)
}

// records are the answers of a DNS server, by name.
type records map[string]*dns.Msg

// ttl is that of the records of Kubernetes services.
const ttl = 5

// add makes a name the service of a cluster.
func (r records) add(name string, c *demo.Cluster) {
	reply := new(dns.Msg)
	header := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
	}
	for _, n := range c.Nodes {
		u, err := url.Parse(n.URL())
		if err != nil {
			panic(err)
		}
		port, _ := strconv.ParseUint(u.Port(), 10, 16)
		target := n.ID() + "." + name
		reply.Answer = append(reply.Answer, &dns.SRV{Hdr: header(name, dns.TypeSRV), Target: dns.Fqdn(target), Port: uint16(port)})
		reply.Extra = append(reply.Extra, &dns.A{Hdr: header(target, dns.TypeA), A: net.ParseIP(u.Hostname())})
	}
	r[dns.Fqdn(name)] = reply
}

// serve answers questions for the records.
func (r records) serve() (addr string, end func(), err error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		reply := new(dns.Msg).SetReply(question)
		if known := r[question.Question[0].Name]; known != nil {
			reply.Answer, reply.Extra = known.Answer, known.Extra
		} else {
			reply.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(reply)
	})}
	go func() { _ = server.ActivateAndServe() }()
	return conn.LocalAddr().String(), func() { _ = server.Shutdown() }, nil
}

// compare measures pairs of daemons that watch the same clusters at the same time. Both feel
// what else the machine does.
func (o options) compare(ctx context.Context, folder, listed, found string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "nodes listed\tnodes from %s\tratio\n", o.nodesFrom)
	for pair := range o.pairs {
		seconds, err := o.pair(ctx, folder, listed, found, pair%2 == 1)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%.2f s\t%.2f s\t%.3f\n", seconds[0], seconds[1], seconds[1]/seconds[0])
	}
	return w.Flush()
}

// pair returns the processor time of two daemons that watch listed and found nodes. The one
// that starts later may be at an advantage, so callers alternate.
func (o options) pair(ctx context.Context, folder, listed, found string, foundFirst bool) (seconds [2]float64, err error) {
	names, clusters := [2]string{"listed", "found"}, [2]string{listed, found}
	order := []int{0, 1}
	if foundFirst {
		order = []int{1, 0}
	}
	var both [2]*daemon
	for _, i := range order {
		if both[i], err = o.start(ctx, folder, names[i], clusters[i]); err != nil {
			return seconds, err
		}
		defer both[i].stop()
		if _, err := both[i].waitFirstSweep(ctx); err != nil {
			return seconds, err
		}
	}
	select {
	case <-ctx.Done():
		return seconds, ctx.Err()
	case <-time.After(o.every): // the first rounds take more
	}
	for _, at := range []float64{-1, 1} {
		for _, i := range order {
			s, err := both[i].scrape(ctx)
			if err != nil {
				return seconds, err
			}
			seconds[i] += at * s.sum("process_cpu_seconds_total")
		}
		if at > 0 {
			break
		}
		if _, err := o.wait(ctx, both[0]); err != nil {
			return seconds, err
		}
	}
	return seconds, nil
}
