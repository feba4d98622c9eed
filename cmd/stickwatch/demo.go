package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	faults   []string
	list     bool
	rounds   int
	interval time.Duration
}

func newDemo(c console) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a cluster of its own, on loopback, that can be broken",
		Long: `demo starts three nodes and a balancer inside this process, on free loopback
ports, and prints a picture of them every few seconds until it is interrupted.
Nothing leaves this machine.`,
		Example: `  stickwatch demo
  stickwatch demo --list
  stickwatch demo --fault redis-down`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.list {
				return listFaults(c)
			}
			return o.run(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.faults, "fault", nil, "break it by this `name`; repeatable")
	flags.BoolVar(&o.list, "list", false, "list the names of faults")
	flags.IntVar(&o.rounds, "rounds", 0, "stop after so many pictures (default: when interrupted)")
	flags.DurationVar(&o.interval, "interval", 3*time.Second, "between two pictures")
	_ = cmd.RegisterFlagCompletionFunc("fault", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, f := range demo.Faults() {
			names = append(names, f.Name+"\t"+f.Description)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func listFaults(c console) error {
	for _, f := range demo.Faults() {
		if _, err := fmt.Fprintf(c.out, "%-18s %s\n", f.Name, f.Description); err != nil {
			return err
		}
	}
	return nil
}

func (o *demoOptions) run(ctx context.Context, c console) error {
	if o.interval <= 0 || o.rounds < 0 {
		return fmt.Errorf("--interval must be above zero and --rounds not below: got %s and %d", o.interval, o.rounds)
	}
	cluster, err := demo.Start(demo.Config{})
	if err != nil {
		return err
	}
	defer cluster.Close()
	for _, name := range o.faults {
		if err := cluster.Break(name); err != nil {
			return fmt.Errorf("%w (see: stickwatch demo --list)", err)
		}
	}
	watched, err := demoCluster(cluster)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "A cluster of three nodes is running behind %s. Interrupt (Ctrl-C) to end it.\n", cluster.Balancer.URL())
	fmt.Fprintf(c.err, "Look at it yourself, too:\n  stickwatch probe %s\n\n", strings.Join(demoFlags(cluster), " "))
	return o.watch(ctx, c, newProber(), watched)
}

// watch prints picture after picture.
func (o *demoOptions) watch(ctx context.Context, c console, p *monitor.Prober, watched []*probes.Cluster) error {
	opts := terminalOptions(c.out, c.environ)
	opts.Clusters = watched
	for n := 1; ; n++ {
		r := take(ctx, p, watched)
		if ctx.Err() != nil {
			return nil
		}
		if err := render(c.out, "table", r, opts); err != nil {
			return err
		}
		if n == o.rounds {
			return nil
		}
		fmt.Fprintln(c.out)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.interval):
		}
	}
}

// demoCluster is the demo as somebody would configure it.
func demoCluster(d *demo.Cluster) ([]*probes.Cluster, error) {
	flags := config.Flags{
		Balancer: []string{d.Balancer.URL()}, Method: string(d.Config.Method), ClientIPHeader: d.Config.ClientIPHeader,
	}
	for _, n := range d.Nodes {
		flags.Nodes = append(flags.Nodes, n.ID()+"="+n.URL())
	}
	cfg, err := config.FromFlags(flags)
	if err != nil {
		return nil, err
	}
	redis, err := url.Parse(d.Redis.URL())
	if err != nil {
		return nil, err
	}
	cluster := cfg.Clusters[0]
	cluster.Name = "demo"
	cluster.Dependencies = []probes.Dependency{{Name: demo.RedisServer, URL: redis}}
	cluster.Pages = []probes.Page{{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}}}
	cluster.Handshake = &probes.Handshake{Path: "/socket.io/"}
	return cfg.Clusters, nil
}

// demoFlags are the flags by which probe sees the demo.
func demoFlags(d *demo.Cluster) []string {
	flags := []string{"--balancer", d.Balancer.URL(), "--method", string(d.Config.Method), "--client-ip-header", d.Config.ClientIPHeader}
	for _, n := range d.Nodes {
		flags = append(flags, "--node", n.ID()+"="+n.URL())
	}
	return flags
}
