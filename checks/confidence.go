package checks

import (
	"math"

	"stickwatch/probes"
)

// DefaultConfidence allows chance to explain a claim once in a thousand rounds.
const DefaultConfidence = 0.999

// FollowUps returns how many follow-ups in a row must stay on one node before chance
// no longer explains it to the given confidence, if chance chooses that node with the
// given share. Two nodes at 0.999: 10; three: 7; ten: 3. It is 1 for a share of 1,
// for which chance cannot be excluded.
func FollowUps(share, confidence float64) int {
	return trials(share, confidence)
}

// FreshClients returns how many new clients must miss a node of the given share
// before chance no longer explains it. Two nodes at 0.999: 10; three: 18; ten: 66.
func FreshClients(share, confidence float64) int {
	return trials(1-share, confidence)
}

// MaxFreshClients is the maximum number of sessions that one round opens through one
// address of a balancer, whatever the confidence.
const MaxFreshClients = 300

// MaxFollowUps is the maximum number of follow-ups of one canary in a round. A
// confidence that needs more cannot be reached with one canary.
const MaxFollowUps = 100

// ClientsToMiss returns how many new clients must miss n before it counts as out of
// rotation: two samples of the size that one test needs, so that chance causes a
// false alarm once in a million rounds.
func ClientsToMiss(c *probes.Cluster, n probes.Node, confidence float64) int {
	return 2 * FreshClients(Share(n, Serving(c, nil)), confidence)
}

// never is a number of trials that no round reaches: certainty is not possible.
const never = 1 << 20

// trials returns how often an event of probability p must happen in a row before
// chance is excluded.
func trials(p, confidence float64) int {
	switch {
	case p <= 0 || p >= 1:
		return 1
	case !(confidence < 1): // NaN, too
		return never
	default:
		return max(1, int(math.Ceil(math.Log(1-confidence)/math.Log(p)-1e-9)))
	}
}

// confidenceOf returns the confidence that n events of probability p in a row are not
// chance.
func confidenceOf(p float64, n int) float64 {
	if n == 0 || p <= 0 || p >= 1 {
		return 0
	}
	return 1 - math.Pow(p, float64(n))
}

// Share returns the share of new clients that a balancer sends to a node, by weight,
// among the given nodes.
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

// largestShare returns the largest share of any of the given nodes.
func largestShare(among []probes.Node) float64 {
	largest := 0.0
	for _, n := range among {
		largest = max(largest, Share(n, among))
	}
	return largest
}

// ChanceOfStaying returns the probability that a follow-up stays on the holder of its
// session by chance: the holder's share among the nodes that new clients met, or
// among all serving nodes if they met fewer than two. For a holder that is not among
// them it is the largest share.
func ChanceOfStaying(holder string, serving []probes.Node, met map[string]bool) float64 {
	var among []probes.Node
	for _, n := range serving {
		if met[n.ID] {
			among = append(among, n)
		}
	}
	if len(among) < 2 {
		among = serving
	}
	for _, n := range among {
		if n.ID == holder {
			return Share(n, among)
		}
	}
	return largestShare(among)
}

func weight(n probes.Node) int { return max(1, n.Weight) }
