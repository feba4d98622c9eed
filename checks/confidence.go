package checks

import (
	"math"

	"stickwatch/probes"
)

// DefaultConfidence lets chance explain a claim once in a thousand rounds.
const DefaultConfidence = 0.999

// FollowUps is how many follow-ups in a row must stay on one node before luck
// no longer explains it to the given confidence, when luck would choose that
// node with the given share. Two nodes at 0.999: 10; three: 7; ten: 3. It is 1
// for a share of 1, where luck can never be excluded.
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

// MaxFollowUps bounds how often one canary comes back in a round; a confidence
// that needs more cannot be had from it alone.
const MaxFollowUps = 100

// ClientsToMiss is how many new clients must miss n before it counts as out of
// rotation: two samples of the size that one test needs, so that a false alarm
// is a matter of one in a million rounds.
func ClientsToMiss(c *probes.Cluster, n probes.Node, confidence float64) int {
	return 2 * FreshClients(Share(n, Serving(c, nil)), confidence)
}

// never is more trials than anybody takes: certainty cannot be had.
const never = 1 << 20

// trials is how often something with probability p must happen in a row before
// luck is excluded.
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

// largestShare is the best luck a client could have of meeting one node twice.
func largestShare(among []probes.Node) float64 {
	largest := 0.0
	for _, n := range among {
		largest = max(largest, Share(n, among))
	}
	return largest
}

// ChanceProbability is the chance that a follow-up stays at home though nothing holds it
// there: home's share among the nodes that new clients met, or among all that
// serve where one source address meets only one. A home that is not among them
// is taken for the luckiest.
func ChanceProbability(holder string, serving []probes.Node, met map[string]bool) float64 {
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
