package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"stickwatch/internal/demo"
)

// ready is the line after the configuration: everything answers.
const ready = "---"

// serveTargets serves clusters until standard input ends.
func (o options) serveTargets(context.Context) error {
	for i := range o.clusters {
		c, err := demo.Start(demo.Config{Nodes: o.nodes})
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Printf("  - name: cluster%03d\n    balancer: {url: %q, method: %s, client_ip_header: %s}\n    nodes:\n",
			i, c.Balancer.URL(), c.Config.Method, c.Config.ClientIPHeader)
		for _, n := range c.Nodes {
			fmt.Printf("      - {id: %s, url: %q}\n", n.ID(), n.URL())
		}
	}
	fmt.Println(ready)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
