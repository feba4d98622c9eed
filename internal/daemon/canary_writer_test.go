package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// watching returns a configuration whose clusters are all watched, with canaries to store.
func watching(clusters ...string) *activeConfig {
	active := &activeConfig{config: &config.Config{}, leaseEpochs: make(map[string]int64)}
	active.config.Fleet.Keys = []config.Secret{config.NewSecret(string(testKey[:]))}
	for _, name := range clusters {
		c := &probes.Cluster{Name: name}
		active.config.Clusters = append(active.config.Clusters, c)
		active.watchers = append(active.watchers, monitor.NewWatcher(c, new(monitor.Prober), nil, monitor.Intervals{}))
		active.leaseEpochs[name] = 1
	}
	return active
}

// TestCanariesOneAtATime: canaries that were read earlier cannot be stored after newer ones.
func TestCanariesOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		puts, release := 0, make(chan struct{})
		w := newCanaryWriter(slog.New(slog.DiscardHandler), func(context.Context, []history.StoredCanaries) error {
			puts++
			<-release
			return nil
		})
		active := watching("shop")
		for range 2 {
			go w.write(t.Context(), active, active.watchers, nil)
		}
		synctest.Wait()
		if puts != 1 {
			t.Errorf("%d are stored at once", puts)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if w.write(short, active, active.watchers, nil); short.Err() == nil || puts != 1 {
			t.Errorf("it did not wait for its turn: %d", puts)
		}
		close(release)
		synctest.Wait()
		if puts != 2 {
			t.Errorf("got %d", puts)
		}
	})
}

// TestCanariesOfOtherOwners: clusters that other instances have taken over do not keep the others from
// being stored.
func TestCanariesOfOtherOwners(t *testing.T) {
	var stored []string
	w := newCanaryWriter(slog.New(slog.DiscardHandler), func(_ context.Context, list []history.StoredCanaries) error {
		stored = nil
		for _, c := range list {
			stored = append(stored, c.Cluster)
		}
		if slices.Contains(stored, "mail") {
			return &history.FencedError{Clusters: []string{"mail"}}
		}
		return nil
	})
	active := watching("shop", "mail", "wiki")
	if without := w.write(t.Context(), active, active.watchers, nil); !slices.Equal(without, []string{"shop", "wiki"}) {
		t.Errorf("there are none of %q", without)
	}
	if !slices.Equal(stored, []string{"shop", "wiki"}) {
		t.Errorf("stored %q", stored)
	}
	if due, _ := w.due(active); len(due) != 1 {
		t.Errorf("%d are due", len(due))
	}
}

// TestCanariesCannotBeStored: that is in the log once a minute, and not because of one failure.
func TestCanariesCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		failure := errors.New("permission denied")
		w := newCanaryWriter(slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, []history.StoredCanaries) error { return failure })
		active := watching("shop")
		for second, want := range map[int]int{59: 0, 60: 1, 119: 1, 120: 2} {
			log.Reset()
			failure = nil
			w.write(t.Context(), active, active.watchers, nil)
			failure = errors.New("permission denied")
			for range second + 1 {
				w.write(t.Context(), active, active.watchers, nil)
				time.Sleep(time.Second)
			}
			if got := strings.Count(log.String(), "permission denied"); got != want {
				t.Errorf("after %d s: got %d warnings, want %d", second, got, want)
			}
		}
	})
}
