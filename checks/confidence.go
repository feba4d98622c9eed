package checks

import (
	"math"

	"stickwatch/probes"
)

// FollowUps is how many follow-ups in a row must stay on one node before luck
// no longer explains it to the given confidence, when luck would choose that
// node with the given share. Two nodes at 0.999: 10; three: 7; ten: 3.
func FollowUps(share, confidence float64) int {
	return trials(share, confidence)
}

// FreshClients is how many new clients must miss a node of the given share
// before luck no longer explains it. Two nodes at 0.999: 10; three: 18; ten: 66.
func FreshClients(share, confidence float64) int {
	return trials(1-share, confidence)
}

// MaxFreshClients bounds the sessions that one round opens through one address
// of a balancer, whatever the confidence asked for.
const MaxFreshClients = 300

// trials is how often something with probability p must happen in a row before
// luck is excluded.
func trials(p, confidence float64) int {
	if p <= 0 || p >= 1 {
		return 1
	}
	return max(1, int(math.Ceil(math.Log(1-confidence)/math.Log(p)-1e-9)))
}

// confidenceOf is the confidence that n events of probability p in a row are
// not luck.
func confidenceOf(p float64, n int) float64 {
	if n == 0 || p <= 0 || p >= 1 {
		return 0
	}
	return 1 - math.Pow(p, float64(n))
}

// Share is the part of new clients that a balancer gives to a node, by weight,
// among the given ones.
func Share(node probes.Node, among []probes.Node) float64 {
	total := 0
	for _, n := range among {
		total += weight(n)
	}
	if total == 0 {
		return 0
	}
	return float64(weight(node)) / float64(total)
}

// LargestShare is the best luck a client could have of meeting one node twice.
func LargestShare(among []probes.Node) float64 {
	largest := 0.0
	for _, n := range among {
		largest = max(largest, Share(n, among))
	}
	return largest
}

func weight(n probes.Node) int { return max(1, n.Weight) }

// Serving returns the nodes of c that a balancer should give new clients:
// those not marked down or backup, and, where direct observations are given,
// up.
func Serving(c *probes.Cluster, direct []probes.NodeObservation) []probes.Node {
	var serving []probes.Node
	for i, n := range c.Nodes {
		if !n.Down && !n.Backup && (direct == nil || Up(direct[i])) {
			serving = append(serving, n)
		}
	}
	return serving
}

// Up reports whether a node serves when asked directly. A paused node answers,
// whatever HTTP status it does that with: it is paused and not down.
func Up(o probes.NodeObservation) bool {
	return o.Primary.OK() || (o.Primary.Answered() && o.Status.Paused())
}
