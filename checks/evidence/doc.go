// Package evidence matches what balancers say of their own servers to the nodes
// of a cluster: which server is which node, and whether the balancer has it in
// rotation, out or draining, since when, and in whose words.
//
// The picture of a cluster and the watch of a deployment both use it, so that
// they cannot disagree about a node. It judges nothing else: what was seen of a
// node is weighed against these records elsewhere.
package evidence
