package watch

import (
	"maps"
	"slices"

	"stickwatch/internal/gate"
)

// copyClients returns copies whose timelines do not change.
func copyClients(watchedClients []gate.WatchedClient) []gate.WatchedClient {
	list := slices.Clone(watchedClients)
	for i := range list {
		list[i].Timeline = slices.Clone(list[i].Timeline)
	}
	return list
}

func copyMap[M ~map[string]S, S ~[]E, E any](m M) M {
	out := maps.Clone(m)
	for key, list := range out {
		out[key] = slices.Clone(list)
	}
	return out
}
