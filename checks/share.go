package checks

import "stickwatch/probes"

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
