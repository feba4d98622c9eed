package panics_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/panics"
)

// logged returns the log until the test ends.
func logged(t *testing.T) *bytes.Buffer {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func explode() {
	var list []string
	_ = list[len(list)] //nolint:gocritic // it is to panic
}

func TestCatch(t *testing.T) {
	log := logged(t)
	before := panics.Counts()[panics.Web]
	if err := panics.Catch(panics.Web, func() {}); err != nil {
		t.Errorf("without a panic: got %v", err)
	}
	err := panics.Catch(panics.Web, explode)
	if caught, ok := errors.AsType[panics.Error](err); !ok || caught.Component != panics.Web {
		t.Errorf("got %v, want an Error of the web", err)
	}
	if got := panics.Counts()[panics.Web] - before; got != 1 {
		t.Errorf("got %d panics counted, want 1", got)
	}
	for _, want := range []string{"component=web", "index out of range [0] with length 0", "explode"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("got log %q, want %q in it", log, want)
		}
	}
}

// TestTextIsNotShown: the text of a panic may quote a target, or be a session id.
func TestTextIsNotShown(t *testing.T) {
	log := logged(t)
	err := panics.Catch(panics.Evidence, func() { panic("JSESSIONID=0123456789") })
	if strings.Contains(err.Error()+log.String(), "0123456789") || !strings.Contains(log.String(), "panic with a string") {
		t.Errorf("got %v and log %q, want neither to show the panic's text", err, log)
	}
}

// TestLogIsBounded: one stack is logged a minute and component, with the number of the
// others.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged(t)
		for range 10 {
			panics.Catch(panics.Metrics, explode)
		}
		time.Sleep(2 * time.Minute)
		panics.Catch(panics.Metrics, explode)
		if got := strings.Count(log.String(), "component=metrics"); got != 2 {
			t.Errorf("got %d lines, want 2:\n%s", got, log)
		}
		if !strings.Contains(log.String(), "not_logged=9") {
			t.Errorf("got log %q, want 9 more in it", log)
		}
	})
}

// TestGroup: a panic two goroutines down reaches the Catch above, with its stack, after
// all goroutines have ended.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged(t)
		before := panics.Counts()[panics.Job]
		ended := 0
		err := panics.Catch(panics.Job, func() {
			var outer panics.Group
			outer.Go(func() {
				var inner panics.Group
				inner.Go(explode)
				inner.Go(func() { time.Sleep(time.Second); ended++ })
				inner.Wait()
			})
			outer.Wait()
		})
		if err == nil || ended != 1 {
			t.Errorf("got %v and %d ended, want an error and 1", err, ended)
		}
		if got := panics.Counts()[panics.Job] - before; got != 1 {
			t.Errorf("got %d panics counted, want 1", got)
		}
		if !strings.Contains(log.String(), "explode") {
			t.Errorf("got log %q, want the stack of the goroutine that panicked", log)
		}
	})
}

// TestStarters: no way to start a goroutine lets a panic end the process.
func TestStarters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged(t)
		before := panics.Counts()[panics.Daemon]
		ctx, cancel := context.WithCancel(t.Context())
		panics.Go(panics.Daemon, explode)
		panics.AfterFunc(time.Second, panics.Daemon, explode)
		panics.AfterContext(ctx, panics.Daemon, explode)
		time.Sleep(2 * time.Second)
		cancel()
		synctest.Wait()
		if got := panics.Counts()[panics.Daemon] - before; got != 3 {
			t.Errorf("got %d panics counted, want 3", got)
		}
	})
}

func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged(t)
		runs := 0
		panics.Keep(t.Context(), panics.History, func() {
			if runs++; runs < 3 {
				explode()
			}
		})
		expect.Equal(t, "runs", 3, runs)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		panics.Keep(ctx, panics.History, func() { runs++; explode() })
		if runs != 4 {
			t.Errorf("got %d runs after the end, want 1", runs-3)
		}
	})
}

func TestRunner(t *testing.T) {
	const timeout = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		runner := panics.NewRunner()
		hangs := make(chan struct{})
		ran := 0
		do := func(ctx context.Context, want error, f func(context.Context)) {
			t.Helper()
			began := time.Now()
			if err := runner.Do(ctx, panics.Daemon, timeout, f); !errors.Is(err, want) {
				t.Errorf("got error %v, want %v", err, want)
			}
			if took := time.Since(began); took > timeout+time.Second {
				t.Errorf("it took %s", took)
			}
		}
		do(t.Context(), nil, func(ctx context.Context) { <-ctx.Done() })
		do(t.Context(), panics.Error{Component: panics.Daemon}, func(context.Context) { panic("no") })
		do(t.Context(), panics.ErrHangs, func(context.Context) { <-hangs })
		do(t.Context(), panics.ErrHangs, func(context.Context) { ran++ })
		stopped, stop := context.WithCancel(t.Context())
		stop()
		do(stopped, context.Canceled, func(context.Context) { ran++ })
		if ran > 0 {
			t.Error("a second function ran beside the one that hangs")
		}
		close(hangs)
		do(t.Context(), nil, func(context.Context) { ran++ })
		if ran != 1 {
			t.Errorf("ran %d times after that, want once", ran)
		}
	})
}
