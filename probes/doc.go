// Package probes sends requests to a cluster and records the answers.
//
// A failed request is an observation, too, and carries its error. A Go error means that
// stickwatch itself failed. Package checks decides what observations mean.
//
// Read the types in this order. A [Client] sends requests to one [Target], which is a
// node or an address of the balancer. A [Canary] is a client with a session of its own,
// which it opens through the balancer and checks with later requests. A [Trace] is the
// record of all requests of one canary. An [Exchange] is one request with its answer,
// or with the reason why there is none. A [Jar] stores the cookies of a client as a
// browser does, and can be copied. A [Limiter] delays requests so that the nodes of a
// cluster stay within a [Budget].
//
// Everything that a target sends is untrusted: its size and the time to read it are
// bounded, and control characters are removed. A session id never leaves this package;
// a [Fingerprint] takes its place.
package probes
