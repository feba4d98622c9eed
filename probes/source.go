package probes

import (
	"context"
	"time"
)

// A NodeSource is where the nodes of a cluster come from while it is watched.
type NodeSource interface {
	State() SourceState
	Refresh()               // asks the source again soon, and does not wait for its answer
	Update(context.Context) // asks it now; its answer is in use when Update returns
}

// A SourceState is how far a NodeSource can be relied on.
type SourceState struct {
	Name     string        // such as "dns A app.internal"
	Answered time.Time     // when it last gave a usable list; zero: never
	Restored bool          // that was before this process; the list was stored
	Interval time.Duration // between two questions while it answers
	Nodes    int           // nodes in the list that is used
	Failing  time.Time     // since when it gives no usable list; zero: it does
	Error    string        // why, in one clean line; "": it does
}

// A LeftNode is a node that its source no longer lists. Its clients may still arrive.
type LeftNode struct {
	Node
	LastLabel string    // the name that it reported last; "": unknown
	At        time.Time // when it left
}

// LeftSince returns the nodes that have left since a moment and have not come back.
func (c *Cluster) LeftSince(moment time.Time) []LeftNode {
	var list []LeftNode
	for _, n := range c.Left {
		if !n.At.Before(moment) {
			list = append(list, n)
		}
	}
	return list
}
