package panics

import (
	"log/slog"
	"sync"
	"time"
)

// logEvery is how often a panic of a component is logged with its stack: a target
// that provokes one with every answer must not fill the disk.
const logEvery = time.Minute

// recorder counts and logs panics for the whole process.
var recorder struct {
	mu         sync.Mutex
	components map[Component]*record
}

type record struct {
	count  uint64
	logged time.Time
	silent int // since it was logged
}

// handle counts and logs a panic.
func handle(c Component, p *carried) {
	if silent, ok := count(c); ok {
		slog.Error("stickwatch panicked; it goes on", "component", string(c), "panic", p.text, "not_logged", silent, "stack", p.stack)
	}
}

// count counts a panic, and reports whether it may be logged, with how many were
// not since one was.
func count(c Component) (silent int, log bool) {
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	if recorder.components == nil {
		recorder.components = make(map[Component]*record)
	}
	r := recorder.components[c]
	if r == nil {
		r = new(record)
		recorder.components[c] = r
	}
	r.count++
	if time.Since(r.logged).Abs() < logEvery {
		r.silent++
		return 0, false
	}
	silent, r.logged, r.silent = r.silent, time.Now(), 0
	return silent, true
}

// Counts returns how many panics were handled since the process started, for
// every component.
func Counts() map[Component]uint64 {
	recorder.mu.Lock()
	defer recorder.mu.Unlock()
	counts := make(map[Component]uint64, len(Components))
	for _, c := range Components {
		counts[c] = 0
	}
	for c, r := range recorder.components {
		counts[c] = r.count
	}
	return counts
}
