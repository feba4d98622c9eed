package time

import (
	"sync/atomic"
	"syscall"
)

// This file is compiled into package time of the daemons that TestFleetTroubles starts. It moves the
// wall clock of a process, and leaves the monotonic one alone, as somebody does who sets the clock
// of a machine. Now cannot read files: the runtime calls it for timers, too.

var skew atomic.Int64 // in seconds

func init() {
	name, ok := syscall.Getenv("STICKWATCH_TEST_CLOCK")
	if !ok {
		return
	}
	readSkew(name)
	go func() {
		for ; ; Sleep(100 * Millisecond) {
			readSkew(name)
		}
	}()
}

// readSkew reads from a file by how many seconds the wall clock is off.
func readSkew(name string) {
	file, err := open(name)
	if err != nil {
		return
	}
	defer closefd(file)
	var text [16]byte
	if n, err := read(file, text[:]); err == nil {
		if seconds, err := atoi(text[:n]); err == nil {
			skew.Store(int64(seconds))
		}
	}
}
