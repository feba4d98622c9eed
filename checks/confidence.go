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

// NewClients returns how many new clients must miss a node of the given share
// before chance no longer explains it. Two nodes at 0.999: 10; three: 18; ten: 66.
func NewClients(share, confidence float64) int {
	return trials(1-share, confidence)
}

// MaxNewClients is the maximum number of sessions that one round opens through one
// address of a balancer, whatever the confidence.
const MaxNewClients = 300

// MaxFollowUps is the maximum number of follow-ups of one canary in a round. A
// confidence that needs more cannot be reached with one canary.
const MaxFollowUps = 100

// ClientsToMiss returns how many new clients must miss n before it counts as out of
// rotation: two samples of the size that one test needs, so that chance causes a
// false alarm once in a million rounds.
func ClientsToMiss(c *probes.Cluster, n probes.Node, confidence float64) int {
	return 2 * NewClients(Share(n, Eligible(c, nil)), confidence)
}

// never is a number of trials that no round reaches: certainty is not possible.
const never = 1 << 20

// trials returns how often an event of probability p must happen in a row before
// chance is excluded; 1 for p of 0 or 1, with which there is nothing to exclude, or it cannot be.
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
