// Package demo is a web cluster inside the process: nodes and a balancer that speak
// HTTP on free loopback ports and that can be broken on purpose.
//
// It can produce every fault that stickwatch detects. The demo command shows the
// faults, and tests run the probes and checks against them. Nodes of this package also
// run behind real balancers, in place of commercial products that cannot be run here:
// they serve the documented pages of those products, and nothing else. A node does not
// know that it is monitored.
//
// The balancer behaves as nginx, HAProxy or Apache httpd: how it counts failures, how
// it places clients, and which state a reload resets. Package lab compares it with
// those products, client by client, while both are operated.
package demo
