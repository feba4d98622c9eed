package panics_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/panics"
)

func TestSlot(t *testing.T) {
	const timeout = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		slot := panics.NewSlot()
		hangs := make(chan struct{})
		ran := 0
		do := func(ctx context.Context, want error, f func(context.Context)) {
			t.Helper()
			began := time.Now()
			if err := slot.Do(ctx, panics.Daemon, timeout, f); !errors.Is(err, want) {
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
