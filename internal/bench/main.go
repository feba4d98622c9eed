// Bench measures a daemon under load. It runs the built binary in a process of its own
// and serves many clusters from another process.
//
//	go run ./internal/bench
//	go run ./internal/bench -clusters 100 -nodes 4 -every 10s -for 3m
//	go run ./internal/bench -fleet postgres://stickwatch@127.0.0.1/stickwatch
//	go run ./internal/bench -pages sqlite -clusters 24
//	go run ./internal/bench -clusters 200 -nodes-from dns -pairs 6 -for 1m
//
// It prints the measures of the README: the duration of the first sweep, the delay of
// the schedule, and the processor time and memory of the daemon. With -nodes-from it
// compares two daemons that watch the same clusters at the same time: one has a list of
// the nodes, and the other finds them.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// options configure the measurement. A target is a node or a balancer.
type options struct {
	clusters, nodes int
	every, length   time.Duration
	reload          time.Duration // interval of reloads; 0: never
	scrape          time.Duration // interval of scrapes; 0: none
	trouble         bool
	binary          string // path of the binary; "": build it
	targets         bool   // run as the process that serves the targets
	fleet           string // URL of the database of a fleet of three instances; "": one daemon
	nodesFrom       string // source of the nodes that a second daemon finds: file or dns; "": there is none
	pairs           int    // of daemons that are compared
	pages           string // "sqlite", or URL of an empty database: measure pages over 90 days there; "": do not
}

func main() {
	var o options
	flag.IntVar(&o.clusters, "clusters", 100, "how many clusters")
	flag.IntVar(&o.nodes, "nodes", 4, "how many nodes each has, beside its balancer")
	flag.DurationVar(&o.every, "every", 10*time.Second, "how often everything is probed")
	flag.DurationVar(&o.length, "for", 3*time.Minute, "how long to measure")
	flag.DurationVar(&o.reload, "reload", 0, "how often the configuration is reloaded meanwhile; 0: never")
	flag.DurationVar(&o.scrape, "scrape", 15*time.Second, "how often the metrics are scraped; the default is that of Prometheus's own example; 0: never")
	flag.BoolVar(&o.trouble, "trouble", false, "break a cluster every second, and notify a Slack that takes 8 s to answer")
	flag.StringVar(&o.binary, "binary", "", "measure this stickwatch instead of building one")
	flag.StringVar(&o.fleet, "fleet", "", "measure three instances with the history in this PostgreSQL, a `URL`; the database must be empty")
	flag.StringVar(&o.pages, "pages", "", "fill a history with 90 days of the clusters and measure pages and API: sqlite, or the `URL` of an empty PostgreSQL")
	flag.BoolVar(&o.targets, "targets", false, "serve clusters, and print how they are configured, until standard input ends")
	flag.StringVar(&o.nodesFrom, "nodes-from", "", "compare a daemon that finds its nodes by file or dns with one that has a list of them")
	flag.IntVar(&o.pairs, "pairs", 1, "how many pairs of daemons are compared, one after the other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	run := o.measure
	if o.targets {
		run = o.serveTargets
	}
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs a daemon for a while and prints the measures.
func (o options) measure(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "stickwatch-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if o.binary == "" {
		o.binary = filepath.Join(folder, "stickwatch")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "stickwatch/cmd/stickwatch")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as releases are built
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building the daemon: %w\n%s", err, out)
		}
	}
	listed, found, end, err := o.startTargets(ctx, folder)
	if err != nil {
		return err
	}
	defer end()
	if o.fleet != "" {
		return o.measureFleet(ctx, folder, listed)
	}
	if o.pages != "" {
		return o.measurePages(ctx, folder, listed)
	}
	if o.nodesFrom != "" {
		return o.compare(ctx, folder, listed, found)
	}
	d, err := o.start(ctx, folder, "listed", listed)
	if err != nil {
		return err
	}
	defer d.stop()
	return o.report(ctx, d, filepath.Join(folder, "listed.db"))
}

// start starts a daemon whose files have a name of their own.
func (o options) start(ctx context.Context, folder, name, clusters string) (*daemon, error) {
	at := filepath.Join(folder, name)
	if err := os.RemoveAll(at + ".db"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(at+".yml", []byte(o.file("sqlite:"+at+".db")+clusters), 0o600); err != nil {
		return nil, err
	}
	return startDaemon(ctx, o.binary, at+".yml")
}

// file returns the configuration without its clusters.
func (o options) file(history string) string {
	return fmt.Sprintf("listen: 127.0.0.1:0\nhistory: {url: %q}\n"+
		"intervals: {canary: %[2]s, status: %[2]s, pages: %[2]s, dependencies: %[2]s}\n", history, o.every)
}

// startTargets starts this program as the process that serves the targets, and returns
// two configurations of their clusters: with listed nodes, and with those that are found.
func (o options) startTargets(ctx context.Context, folder string) (listed, found string, end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-targets", fmt.Sprint("-clusters=", o.clusters), fmt.Sprint("-nodes=", o.nodes), fmt.Sprint("-trouble=", o.trouble), "-nodes-from="+o.nodesFrom)
	cmd.Stderr, cmd.Dir = os.Stderr, folder
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", "", nil, err
	}
	end = func() {
		_ = in.Close() // the process exits when its input is closed
		_ = cmd.Wait()
	}
	var b strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == readyLine {
			listed, found, _ = strings.Cut(b.String(), foundLine+"\n")
			return listed, found, end, nil
		}
		b.WriteString(lines.Text() + "\n")
	}
	end()
	return "", "", nil, fmt.Errorf("starting the targets: %w", io.ErrUnexpectedEOF)
}

const (
	foundLine = "===" // precedes the configuration in which nodes are found
	readyLine = "---" // follows the configurations when every target answers
)

// serveTargets serves clusters until standard input ends.
func (o options) serveTargets(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.trouble {
		workspace := slacktest.New("ops")
		defer workspace.Close()
		workspace.Fail(slacktest.Fault{Latency: 8 * time.Second, Times: -1})
		fmt.Printf("alerting: {receivers: [{name: ops, slack: {token: %s, channel: \"#ops\", api_url: %q}}]}\n", slacktest.Token, workspace.URL())
	}
	fmt.Println("clusters:")
	config := demo.Config{Nodes: o.nodes}
	if o.nodesFrom != "" {
		config.Method = probes.MethodCookie // behind a hash, nodes without an order get fewer canaries
	}
	var all []*demo.Cluster
	for i := range o.clusters {
		c, err := demo.Start(config)
		if err != nil {
			return err
		}
		defer c.Close()
		all = append(all, c)
		describe(clusterName(i), c)
		fmt.Println("    nodes:")
		for _, n := range c.Nodes {
			fmt.Printf("      - {id: %s, url: %q}\n", n.ID(), n.URL())
		}
	}
	if o.nodesFrom != "" {
		end, err := o.describeFound(all)
		if err != nil {
			return err
		}
		defer end()
	}
	fmt.Println(readyLine)
	if o.trouble {
		go injectFaults(ctx, all)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func clusterName(i int) string { return fmt.Sprintf("cluster%03d", i) }

// describe prints the configuration of a cluster without its nodes.
func describe(name string, c *demo.Cluster) {
	fmt.Printf("  - name: %s\n    balancer: {url: %q, method: %s, client_ip_header: %s}\n",
		name, c.Balancer.URL(), c.Config.Method, c.Config.ClientIPHeader)
}

// injectFaults breaks a cluster every second, and repairs another one.
func injectFaults(ctx context.Context, all []*demo.Cluster) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		faults := []string{"node-down", "node-paused", "version-skew", "balancer-down"}
		for _, err := range []error{
			all[rand.N(len(all))].Break(faults[rand.N(len(faults))]),
			all[rand.N(len(all))].Heal(),
		} {
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
		}
	}
}
