package cookies

import "stickwatch/probes"

type extractor struct{ inv nodeIndex }

// Extractor returns an extractor of the node that a client's cookies name, as
// the ID of one of servers. It serves where no page tells who answered; mind
// that it tells whom the balancer wants.
func Extractor(servers []Server, opts Options) probes.Extractor {
	return extractor{newNodeIndex(servers, opts)}
}

// Extract returns the node, and false unless a cookie names one of the list.
func (e extractor) Extract(doc probes.Document) (string, bool) {
	a, ok := e.inv.node(doc.Cookies)
	return a.Node, ok && a.Kind == KindNode
}
