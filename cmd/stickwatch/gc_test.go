package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestGCPercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, 100}, // before the first collection
		{4 << 20, 100},
		{40 << 20, 60},
		{52 << 20, 23},
		{72 << 20, 12},
		{2 << 30, 10},
	} {
		if got := gcPercent(tt.live); got != tt.want {
			t.Errorf("gcPercent(%d) = %d, want %d", tt.live, got, tt.want)
		}
	}
}

// TestTuneGC lets the heap grow: the percentage follows, and one that is set stays.
func TestTuneGC(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	tuneGC(t.Context(), []string{"GOGC=77"}) // returns at once
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC=77: the percentage is %d", got)
	}
	synctest.Test(t, func(t *testing.T) {
		go tuneGC(t.Context(), nil)
		synctest.Wait()
		live := make([]byte, 60<<20)
		runtime.GC()
		time.Sleep(gcAdjustEvery + time.Second)
		runtime.KeepAlive(live)
		if got := debug.SetGCPercent(77); got < gcMinPercent || got > 20 {
			t.Errorf("with more than 60 MiB live the percentage is %d", got)
		}
	})
}
