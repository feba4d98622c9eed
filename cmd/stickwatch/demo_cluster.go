package main

import (
	"cmp"
	"fmt"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/internal/demo"
)

// demoConfig is a configuration of the demo, as somebody would write it. Its
// history is in the folder.
func demoConfig(d *demo.Cluster, listen, folder string) (*config.Config, error) {
	none := func(string) (string, bool) { return "", false }
	return config.Parse("demo.yml", []byte(demoFile(d, listen, folder)), none)
}

// demoFile is the text of that configuration. Everything is quicker than one
// would have it, since somebody is looking.
func demoFile(d *demo.Cluster, listen, folder string) string {
	var b strings.Builder
	write := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	write("listen: %q", listen)
	write("history: {url: %q}", "sqlite:"+cmp.Or(folder, ".")+"/history.db")
	write("intervals: {canary: 1s, status: 3s, pages: 3s, dependencies: 3s}")
	write("alerting: {for: {warning: 2s}, resolve_after: 3s}")
	write("clusters:")
	write("  - name: demo")
	write("    timeout: 2s")
	write("    slow: 1s")
	write("    balancer: {url: %q, method: %s, client_ip_header: %s}", d.Balancer.URL(), d.Config.Method, d.Config.ClientIPHeader)
	write("    nodes:")
	for i, n := range d.Nodes {
		write("      - {id: %s, url: %q, primary: %t}", n.ID(), n.URL(), i == 0)
	}
	write("    pages: [{path: /app_a/}]")
	write("    handshake: {path: /socket.io/}")
	write("    dependencies: [{name: %s, url: %q}]", demo.RedisServer, d.Redis.URL())
	return b.String()
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
