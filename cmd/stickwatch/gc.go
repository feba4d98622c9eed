package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/sleep"
)

// Limits of garbage collection in a running daemon. Go's own setting is a share of the live
// heap, which is generous to a daemon with thousands of targets.
const (
	gcHeap        = 64 << 20 // bytes that a small heap may reach before it is collected
	gcHeadroom    = 9 << 20  // bytes that any heap may grow by between two collections
	gcMinPercent  = 10       // so that a very large heap is not collected all the time
	gcMaxPercent  = 100      // Go's default
	gcAdjustEvery = 20 * time.Second
)

// tuneGC adjusts the percentage of garbage collection to the live heap until ctx ends,
// unless GOGC is set. Monitoring machines are small, so that memory matters more than
// processor time.
func tuneGC(ctx context.Context, environ []string) {
	if slices.ContainsFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "GOGC=") }) {
		return
	}
	debug.SetGCPercent(gcPercent(liveHeap()))
	for range sleep.Every(ctx, gcAdjustEvery) {
		debug.SetGCPercent(gcPercent(liveHeap()))
	}
}

// gcPercent is the percentage with which a heap of so many live bytes grows to gcHeap, or by
// gcHeadroom.
func gcPercent(live uint64) int {
	percent := (max(gcHeap, live+gcHeadroom) - live) * 100 / max(live, 1)
	return int(min(max(percent, gcMinPercent), gcMaxPercent))
}

// liveHeap is how many bytes the last collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
