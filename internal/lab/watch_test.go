package lab

import (
	"sync"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// A watch is a watcher of a rig, and what it told.
type watch struct {
	*monitor.Watcher
	mu   sync.Mutex
	told []string // changes: kind and key
}

func (w *watch) Probed(monitor.Probe)     {}
func (w *watch) Requested(checks.Request) {}

func (w *watch) Judged(j monitor.Judgement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range j.Changes {
		if c.Severity != checks.Info {
			w.told = append(w.told, string(c.Kind)+" "+c.Key())
		}
	}
}

// watch begins to watch the rig's cluster, and takes a first round.
func (r *rig) watch(pace monitor.Pace) *watch {
	r.tb.Helper()
	w := new(watch)
	w.Watcher = monitor.NewWatcher(r.cluster, r.prober(), w, pace)
	r.tb.Cleanup(func() { w.Close() })
	w.Refresh(r.tb.Context(), monitor.Status)
	return w
}
