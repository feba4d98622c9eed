package checks

import (
	"cmp"
	"slices"
	"strconv"
)

// canaries are the walks that came back, or were aimed at a node, for people.
func canaries(v *outcomes) []Canary {
	var list []Canary
	for _, w := range v.traces {
		if len(w.Steps) < 2 && w.Expected == "" {
			continue
		}
		c := Canary{Pinned: orDefault(w.holder, w.Expected), Client: w.Client, Balancer: w.Balancer.String()}
		for _, a := range slices.Concat(w.earlier, w.answers) {
			node := a.node
			if node == "" && a.Label != "" {
				node = strconv.Quote(a.Label)
			}
			c.Steps = append(c.Steps, CanaryStep{
				At: a.At, Kind: a.Kind, Node: node, Session: a.Session, Status: a.Status, Error: a.Error,
			})
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b Canary) int { return cmp.Compare(v.index(a.Pinned), v.index(b.Pinned)) })
	return list
}
