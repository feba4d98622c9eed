// Package importer reads a balancer's configuration, queries the nodes, and writes a
// stickwatch.yml for the clusters behind the balancer.
//
// The files of all products are parsed into the same tree of directives with positions,
// and the reader of each product converts that tree to upstreams. The later stages do
// not depend on the product.
//
// A file does not contain everything, for example the public address of the balancer or
// the application. Missing facts are guessed. Each guess is marked by a comment in the
// written file and printed by the command, so that the user can check it.
package importer
