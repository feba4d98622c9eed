package evidence

import (
	"cmp"
	"context"
	"time"

	"stickwatch/probes"
)

// NginxOptions tell how to understand an nginx error log.
type NginxOptions struct {
	// FailTimeout is for how long nginx leaves an ejected server alone; 0 means
	// nginx's own default, 10 s.
	FailTimeout time.Duration
	// Zone is the time zone of the machine that writes the log, for its lines do
	// not tell; nil means this machine's.
	Zone *time.Location
}

func (o NginxOptions) failTimeout() time.Duration {
	return cmp.Or(max(0, o.FailTimeout), 10*time.Second)
}

// hold is for how long an ejection lasts after its last line: nginx counts in
// whole seconds, and tries again in the first one past FailTimeout.
func (o NginxOptions) hold() time.Duration { return o.failTimeout() + time.Second }

// join is how far apart two lines of one ejection may be: a trial that fails
// ejects for another FailTimeout, and with little traffic trials come late.
func (o NginxOptions) join() time.Duration { return 2*o.hold() + slack }

// slack is what the clocks of workers, which nginx caches, may differ by.
const slack = 2 * time.Second

func (o NginxOptions) zone() *time.Location {
	if o.Zone == nil {
		return time.Local
	}
	return o.Zone
}

// NginxErrorLog reads once the end of the error log at path, at most 1 MiB, and
// tells which servers are ejected at now. Who reads again and again is better
// served by a [Follower].
func NginxErrorLog(ctx context.Context, path string, now time.Time, o NginxOptions) probes.EvidenceObservation {
	f := Follow(path, o)
	defer f.Close()
	return f.Read(ctx, now)
}
