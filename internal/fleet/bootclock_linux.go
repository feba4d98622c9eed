package fleet

import (
	"time"

	"golang.org/x/sys/unix"
)

// elapsedInSleep returns the time since the machine was started, also while it or the process slept.
func elapsedInSleep() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Since(processStarted)
	}
	return time.Duration(now.Nano())
}
