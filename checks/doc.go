// Package checks judges observations of a cluster.
//
// It is pure: a Round goes in and a Report comes out, without I/O, a clock or state.
// Judge passes a round through stages, each a type that is computed from the stages
// before it: nodeStates (how nodes answer directly), outcomes (which node answered
// each request, and how it came out), rotation (which nodes get new clients),
// timeline (when nodes were interrupted), movement (which clients changed their
// node), remaps (whether the balancer changed where it sends them) and attribution
// (why sessions were lost). The checks turn finished stages into
// findings, and explain marks the findings that another finding causes.
//
// Every finding has evidence. A claim that chance could explain is not made until
// chance is excluded to the requested confidence; until then the answer is Unknown.
package checks
