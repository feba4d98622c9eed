package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"stickwatch/internal/panics"
)

// untilInterrupted returns a context that the first interrupt (Ctrl-C) or
// termination ends; its cause is then an interruption. The second one ends the
// program at once. stop gives signals back.
//
// Commands that leave nothing behind do not ask for it: any signal ends them.
func untilInterrupted(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	panics.Go(panics.Daemon, func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s})
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// outliveReaders keeps the program running when the reader of its standard output
// or standard error goes away: writing there then fails. Programs that it starts
// get the signal as ever.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// An interruption is the signal that ended a command.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted"
	}
	return i.signal.String()
}

// status is what shells tell of a program that a signal ended: 130 after
// Ctrl-C, 143 after a termination.
func (i interruption) status() int {
	number, _ := i.signal.(syscall.Signal)
	return exitSignal + int(number)
}
