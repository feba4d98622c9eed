package monitor_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// A hookExtractor is an extractor that does something whenever an answer is read.
type hookExtractor struct {
	probes.Extractor
	read func()
}

func (t hookExtractor) Extract(d probes.Document) (string, bool) {
	t.read()
	return t.Extractor.Extract(d)
}

// watchWithHook begins to watch a cluster. From then on meanwhile is called as often as
// an answer of a canary is read or a dependency asked.
func watchWithHook(t *testing.T, meanwhile func(*monitor.Watcher)) (watched, *monitor.Watcher, *recordingObserver) {
	t.Helper()
	d := start(t, demo.Config{}, "generic", nil)
	var w *monitor.Watcher
	interrupt := func() {
		if w != nil {
			meanwhile(w)
		}
	}
	d.config.Session.Node = hookExtractor{d.config.Session.Node, interrupt}
	d.config.Dependencies = []probes.Dependency{{Name: "DB Service", URL: &url.URL{Scheme: "fake", Host: "db"}}}
	p := &monitor.Prober{Pingers: map[string]probes.Pinger{"fake": func(context.Context, *url.URL) error {
		interrupt()
		return nil
	}}}
	begun, log := watchAs(t, d.config, p, monitor.Intervals{})
	w = begun
	w.SetBackoff(0)
	return d, w, log
}

// TestRetiredMeanwhile: what was under way when the watch ended tells nobody.
func TestRetiredMeanwhile(t *testing.T) {
	for name, run := range map[string]func(context.Context, *monitor.Watcher) error{
		"a whole round": func(ctx context.Context, w *monitor.Watcher) error { return w.TakeRound(ctx) },
		"a visit": func(ctx context.Context, w *monitor.Watcher) error {
			w.FollowUp(ctx)
			return w.TakeRound(ctx)
		},
		"a part": func(ctx context.Context, w *monitor.Watcher) error {
			w.Refresh(ctx, monitor.Dependencies)
			return w.TakeRound(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, w, log := watchWithHook(t, (*monitor.Watcher).Retire)
			d.Nodes[1].Stop() // so that there were something to tell
			judged, told := len(log.judged), maps.Clone(log.probes)
			if err := run(t.Context(), w); !errors.Is(err, monitor.ErrRetired) {
				t.Errorf("got error %v, want %v", err, monitor.ErrRetired)
			}
			if diff := cmp.Diff(told, log.probes); diff != "" || len(log.judged) != judged {
				t.Errorf("%d judgements and these probes were told (-before +after):\n%s", len(log.judged)-judged, diff)
			}
		})
	}
}

// TestRetired: what is asked for after the watch has ended is not done.
func TestRetired(t *testing.T) {
	var asked atomic.Int32
	_, w, log := watchWithHook(t, func(*monitor.Watcher) { asked.Add(1) })
	judged, told := len(log.judged), maps.Clone(log.probes)
	w.Retire()
	w.FollowUp(t.Context())
	for _, jobKind := range []monitor.JobKind{monitor.Status, monitor.Pages, monitor.Dependencies} {
		w.Refresh(t.Context(), jobKind)
	}
	if err := w.TakeRound(t.Context()); !errors.Is(err, monitor.ErrRetired) {
		t.Errorf("got error %v, want %v", err, monitor.ErrRetired)
	}
	if diff := cmp.Diff(told, log.probes); diff != "" || len(log.judged) != judged || asked.Load() > 0 {
		t.Errorf("%d questions were asked, %d judgements and these probes told (-before +after):\n%s", asked.Load(), len(log.judged)-judged, diff)
	}
}

// TestCloseWaits: the watch is closed when what was under way has ended.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := monitor.NewWatcher(&probes.Cluster{}, &monitor.Prober{}, nil, monitor.Intervals{})
		release := w.Acquire()
		closed := make(chan error, 1)
		go func() { closed <- w.Close() }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("the watch was closed in the middle of a round")
		}
		release()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// TestProbeGivesUp: who waits for its turn does so no longer than its context.
func TestProbeGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := monitor.NewWatcher(&probes.Cluster{}, &monitor.Prober{}, nil, monitor.Intervals{})
		release := w.Acquire()
		ctx, cancel := context.WithCancel(t.Context())
		probed := make(chan error, 1)
		go func() { probed <- w.TakeRound(ctx) }()
		synctest.Wait()
		if len(probed) > 0 {
			t.Error("it did not wait for its turn")
		}
		cancel()
		synctest.Wait()
		if len(probed) == 0 {
			t.Error("it waits on, though nobody wants to know any more")
			w.Retire() // lest the round begin now
		}
		release()
		if err := <-probed; !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want %v", err, context.Canceled)
		}
	})
}
