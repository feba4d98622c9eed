package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	faults   []string
	list     bool
	rounds   setting[int] // 0: until interrupted
	interval setting[time.Duration]
}

func newDemo(c console) *cobra.Command {
	o := demoOptions{rounds: newSetting("", natural), interval: newSetting("3s", atLeast(100*time.Millisecond))}
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Watch a cluster of its own, on loopback, that can be broken",
		Long: `demo starts three nodes and a balancer inside this process, on free loopback
ports, and prints a picture of them every few seconds until it is interrupted
(Ctrl-C). Nothing leaves this machine.

It exits 0 whatever the pictures show.`,
		Example: `  stickwatch demo
  # what can go wrong, and how it looks
  stickwatch demo --list
  stickwatch demo --fault redis-down
  stickwatch demo --fault drift --rounds 1`,
		Args: noArguments(func(arg string) string { return "stickwatch demo --fault " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.mistakes(); err != nil {
				return err
			}
			if o.list {
				return listFaults(c)
			}
			return o.run(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.faults, "fault", nil, "break it by the fault of this `NAME`; repeatable")
	flags.BoolVar(&o.list, "list", false, "list the names of faults")
	flags.Var(&o.rounds, "rounds", "stop after so many pictures, a `NUMBER` (default: when interrupted)")
	flags.Var(&o.interval, "interval", "the `DURATION` between two pictures")
	explain(cmd, section{"Flags", []string{"fault", "list", "rounds", "interval"}})
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name+"\t"+f.Description)
	}
	offer(cmd, "fault", known...)
	return cmd
}

func (o *demoOptions) mistakes() error {
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name)
	}
	errs := []error{o.rounds.mistake("rounds"), o.interval.mistake("interval")}
	for _, name := range o.faults {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("--fault: %w", unknown("fault", name, known, "stickwatch demo --list")))
		}
	}
	return errors.Join(errs...)
}

func listFaults(c console) error {
	for _, f := range demo.Faults() {
		if _, err := fmt.Fprintf(c.out, "%-18s %s\n", f.Name, f.Description); err != nil {
			return err
		}
	}
	return nil
}

func (o *demoOptions) run(parent context.Context, c console) error {
	ctx, stop := untilInterrupted(parent)
	defer stop()
	cluster, err := demo.Start(demo.Config{})
	if err != nil {
		return exitError{exitInconclusive, err}
	}
	defer cluster.Close()
	for _, name := range o.faults {
		if err := cluster.Break(name); err != nil {
			return exitError{exitInconclusive, err}
		}
	}
	watched, err := demoCluster(cluster)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "A cluster of three nodes is running behind %s. Interrupt (Ctrl-C) to end it.\n", cluster.Balancer.URL())
	fmt.Fprintf(c.err, "Look at it yourself, too:\n  stickwatch probe \\\n    %s\n\n", strings.Join(demoFlags(cluster), " \\\n    "))
	return o.watch(ctx, c, watched)
}

// watch prints picture after picture. An interruption is how it ends.
func (o *demoOptions) watch(ctx context.Context, c console, watched []*probes.Cluster) error {
	opts := terminalOptions(c.out, c.environ)
	opts.Clusters = watched
	p, line := newProber(), newStatusLine(c)
	p.Progress = line.show
	for n := 1; ; n++ {
		r := take(ctx, p, watched)
		line.clear()
		if ctx.Err() != nil {
			return nil
		}
		if err := render(c.out, "table", r, opts); err != nil {
			return err
		}
		if n == o.rounds.value || !pause(ctx, o.interval.value) {
			return nil
		}
		fmt.Fprintln(c.out)
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

// demoFlags are the flags by which probe sees the demo, as lines to be joined.
func demoFlags(d *demo.Cluster) []string {
	lines := []string{
		"--balancer " + d.Balancer.URL(),
		"--method " + string(d.Config.Method) + " --client-ip-header " + d.Config.ClientIPHeader,
	}
	for _, n := range d.Nodes {
		lines = append(lines, "--node "+n.ID()+"="+n.URL())
	}
	return lines
}
