package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/demo"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	faults   []string
	list     bool
	rounds   setting[int] // 0: serve, until interrupted
	interval setting[time.Duration]
	every    setting[time.Duration]
	listen   string
}

func newDemo(c console) *cobra.Command {
	o := demoOptions{
		rounds:   newSetting("", parseCount),
		interval: newSetting("3s", atLeast(100*time.Millisecond)),
		every:    newSetting("30s", atLeast(time.Second)),
	}
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Watch a cluster of its own, on loopback, that can be broken",
		Long: `demo starts three nodes and a balancer inside this process, on free loopback
ports, and watches them as serve does, with a status page at
http://127.0.0.1:9748/, and a link to it that lets a browser silence and probe,
too. One fault after the other comes and goes, with health in
between, until it is interrupted (Ctrl-C); with --fault the cluster is broken by
that from the beginning. Nothing leaves this machine, and nothing is left on it.

With --rounds it prints so many pictures, as probe does, in place of serving.

It exits 0 whatever there is to see.`,
		Example: `  stickwatch demo
  # what can go wrong, and how it looks
  stickwatch demo --list
  stickwatch demo --fault redis-down
  stickwatch demo --fault drift --rounds 1`,
		Args: noArguments(func(arg string) string { return "stickwatch demo --fault " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if o.list {
				return listFaults(c)
			}
			return o.run(cmd.Context(), c)
		},
	}
	o.register(cmd)
	return cmd
}

func (o *demoOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.faults, "fault", nil, "break it by the fault of this `NAME`; repeatable")
	flags.BoolVar(&o.list, "list", false, "list the names of faults")
	flags.Var(&o.every, "every", "the `DURATION` of each fault, and of the health after it, where no --fault is named")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9748", "answer at this `HOST:PORT`; port 0 is a free one")
	flags.Var(&o.rounds, "rounds", "print so many pictures, a `NUMBER`, in place of serving")
	flags.Var(&o.interval, "interval", "the `DURATION` between two pictures of --rounds")
	explain(cmd,
		section{"What goes wrong", []string{"fault", "list", "every"}},
		section{"How to look at it", []string{"listen", "rounds", "interval"}})
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name+"\t"+f.Description)
	}
	completeFlag(cmd, "fault", known...)
}

func (o *demoOptions) validate() error {
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name)
	}
	errs := []error{o.rounds.usageError("rounds"), o.interval.usageError("interval"), o.every.usageError("every"), badAddress("listen", o.listen)}
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
	fmt.Fprintf(c.err, "A cluster of three nodes is running behind %s. Interrupt (Ctrl-C) to end it.\n", cluster.Balancer.URL())
	fmt.Fprintf(c.err, "Look at it yourself, too:\n  stickwatch probe \\\n    %s\n\n", strings.Join(demoFlags(cluster), " \\\n    "))
	if o.rounds.value == 0 {
		return o.serve(parent, c, cluster)
	}
	cfg, err := demoConfig(cluster, o.listen, "")
	if err != nil {
		return err
	}
	return o.watch(parent, c, cfg.Clusters)
}

// watch prints picture after picture. An interruption is how it may end.
func (o *demoOptions) watch(parent context.Context, c console, watched []*probes.Cluster) error {
	ctx, stop := untilInterrupted(parent)
	defer stop()
	opts := terminalOptions(c.out, c.environ)
	opts.Clusters = watched
	p, line := newProber(), newStatusLine(c)
	p.Progress = line.show
	for n := 1; ; n++ {
		r := takeRounds(ctx, p, watched)
		line.clear()
		if ctx.Err() != nil {
			return nil
		}
		if err := render.Report(c.out, "table", r, opts); err != nil {
			return err
		}
		if n == o.rounds.value || !pause(ctx, o.interval.value) {
			return nil
		}
		fmt.Fprintln(c.out)
	}
}
