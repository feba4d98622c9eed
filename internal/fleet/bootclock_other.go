//go:build !linux

package fleet

import "time"

// elapsedInSleep returns the time since the start of the process. On these systems it stands still
// while the machine sleeps; a process that was stopped alone is recognised.
func elapsedInSleep() time.Duration { return time.Since(processStarted) }
