package vigil

import (
	"maps"
	"slices"

	"stickwatch/internal/gate"
)

// copied are lanes whose tracks nobody adds to.
func copied(lanes []gate.Lane) []gate.Lane {
	list := slices.Clone(lanes)
	for i := range list {
		list[i].Track = slices.Clone(list[i].Track)
	}
	return list
}

func copiedMap[M ~map[string]S, S ~[]E, E any](m M) M {
	out := maps.Clone(m)
	for key, list := range out {
		out[key] = slices.Clone(list)
	}
	return out
}
