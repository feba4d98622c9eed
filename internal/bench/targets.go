package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/demo"
)

// readyLine follows the configuration when every target answers.
const readyLine = "---"

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
	var all []*demo.Cluster
	for i := range o.clusters {
		c, err := demo.Start(demo.Config{Nodes: o.nodes})
		if err != nil {
			return err
		}
		defer c.Close()
		all = append(all, c)
		describe(fmt.Sprintf("cluster%03d", i), c)
	}
	fmt.Println(readyLine)
	if o.trouble {
		go injectFaults(ctx, all)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// describe prints the configuration of a cluster.
func describe(name string, c *demo.Cluster) {
	fmt.Printf("  - name: %s\n    balancer: {url: %q, method: %s, client_ip_header: %s}\n    nodes:\n",
		name, c.Balancer.URL(), c.Config.Method, c.Config.ClientIPHeader)
	for _, n := range c.Nodes {
		fmt.Printf("      - {id: %s, url: %q}\n", n.ID(), n.URL())
	}
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
