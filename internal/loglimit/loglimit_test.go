package loglimit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for i, step := range []struct {
			wait       time.Duration
			reset      bool
			suppressed int
			ok         bool
		}{
			{0, false, 0, true},
			{time.Second, false, 0, false},
			{time.Second, false, 0, false},
			{time.Minute, false, 2, true},
			{time.Second, true, 0, true},
			{time.Second, false, 0, false},
		} {
			time.Sleep(step.wait)
			if step.reset && !l.Reset() {
				t.Errorf("step %d: Reset reports that nothing was logged", i)
			}
			if suppressed, ok := l.Allow(); suppressed != step.suppressed || ok != step.ok {
				t.Errorf("step %d: got %d, %t, want %d, %t", i, suppressed, ok, step.suppressed, step.ok)
			}
		}
		l.Reset()
		if l.Reset() {
			t.Error("a second Reset reports that something was logged")
		}
	})
}
