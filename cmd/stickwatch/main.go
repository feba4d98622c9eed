// Stickwatch watches web applications that run as several nodes behind a load
// balancer, and says whether their users stay where their sessions are.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main with an exit status. The first interrupt ends a command kindly,
// the second one at once.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot(console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, describe(err))
		return exitUsage
	}
	return exitOK
}

// An exitError ends the program with a status; all has been said already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
