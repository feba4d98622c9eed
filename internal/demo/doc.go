// Package demo is a web cluster inside the process: nodes and a balancer that
// speak real HTTP on free loopback ports, and that can be broken on purpose.
//
// A monitor is only believed when it has been seen to find what it claims to
// find, so every fault stickwatch knows can be had here at will: the demo
// command shows them, tests hold the probes and checks against them, and nodes
// of this package also stand behind real balancers, in place of commercial
// products that cannot be run. For that they wear the documented faces of those
// products, and nothing more: a node does not know that it is being watched.
//
// The balancer behaves as nginx, HAProxy or Apache httpd do: how it counts failures,
// where it places clients, what a reload forgets. Package lab compares it with
// those products, client by client, while both are operated.
package demo
