package lab

import (
	"sync"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// A recordingObserver is a watcher of a rig with its recorded reports.
type recordingObserver struct {
	*monitor.Watcher
	mu      sync.Mutex
	changes []string // kind and key of each change
}

func (w *recordingObserver) Probed(monitor.Probe)     {}
func (w *recordingObserver) Requested(checks.Request) {}

func (w *recordingObserver) Judged(j monitor.RoundResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range j.Changes {
		if c.Severity != checks.Info {
			w.changes = append(w.changes, string(c.Kind)+" "+c.Key())
		}
	}
}

// startWatcher starts to watch the rig's cluster, and takes a first round.
func (r *rig) startWatcher(intervals monitor.Intervals) *recordingObserver {
	r.tb.Helper()
	w := new(recordingObserver)
	w.Watcher = monitor.NewWatcher(r.cluster, r.prober(), w, intervals)
	r.tb.Cleanup(func() { w.Close() })
	w.Refresh(r.tb.Context(), monitor.Status)
	return w
}
