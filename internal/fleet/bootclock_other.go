//go:build !linux

package fleet

import "time"

// sinceBoot returns the time since the start of the process. It may stop while the machine sleeps.
func sinceBoot() time.Duration { return time.Since(began) }
