// Package metrics is what Prometheus sees of clusters, and of the daemon that
// watches them.
//
// A round is told as gauges, the same way for `probe -o prometheus`, for /probe
// and for the daemon's /metrics, so that the three cannot disagree. What is not
// known is absent rather than 0: an alert on a 0 should mean something that was
// seen.
//
// # Cardinality
//
// Labels are clusters, nodes, balancers, dependencies and receivers of the
// configuration, and words of closed sets: codes, severities, results, phases.
// What a target says of itself enters in two places, the version and the state
// of a node; what people say in one, the name of a deployment. Every value is cut
// to 128 characters; of each label a cluster has at most 500 values while the
// daemon lives, and the rest is "other", as are nodes that nobody has listed. A
// node that makes up a version for every answer costs 500 series, and not a
// Prometheus.
//
// A cluster costs a series of incidents_total for each code and two of
// session_moves_total for each pair of nodes, from the start: Prometheus sees no
// increase in a series that begins with 1. Above 12 nodes pairs begin when a
// session first moves.
//
// A target that is asked in one way costs up to 12 series of probes_total, and 16
// of probe_duration_seconds for each phase that takes place: three for an address
// without TLS, five at most. Prometheus can take the native buckets instead,
// which are one series a phase.
package metrics
