package main

import (
	"context"
	"os"
	"testing"
)

// TestInterruptedBeforeTheCommand: a signal that comes before the command begins is not a
// command that cannot be run.
func TestInterruptedBeforeTheCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interruption{os.Interrupt})
	r := runCommand(ctx, console{}, []string{"sleep", "600"})
	if got := r.exitStatus(); got != exitSignal+2 {
		t.Errorf("got exit status %d, want %d", got, exitSignal+2)
	}
}
