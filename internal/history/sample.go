package history

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A sample is a row of the table samples.
type sample struct {
	ts      int64 // milliseconds since 1970
	latency int64 // microseconds
	outcome int64
}

// failures are numbered by their place, which is on disks: append only.
var failures = []probes.Failure{
	"",
	probes.FailureOther,
	probes.FailureDNS,
	probes.FailureRefused,
	probes.FailureUnreachable,
	probes.FailureReset,
	probes.FailureTimeout,
	probes.FailureTLS,
	probes.FailureMalformed,
	probes.FailureRedirect,
	probes.FailureCancelled,
	probes.FailureProber,
}

// An outcome is HTTP status << 6 | failure << 1 | failed: two bytes for nearly
// every sample.
const (
	outcomeFailed  = 1
	outcomeFailure = 0x1f << 1
	outcomeStatus  = 6
	maxStatus      = 999
)

// pack makes a row of s. A failure that has no number is told as "other"; a
// status that is none, as 0.
func pack(s checks.Sample) sample {
	failure := max(slices.Index(failures, s.Failure), 0)
	if failure == 0 && s.Failure != "" {
		failure = slices.Index(failures, probes.FailureOther)
	}
	status := s.Status
	if status < 0 || status > maxStatus {
		status = 0
	}
	outcome := int64(status)<<outcomeStatus | int64(failure)<<1
	if !s.OK {
		outcome |= outcomeFailed
	}
	return sample{ts: s.At.UnixMilli(), latency: max(s.Latency, 0).Microseconds(), outcome: outcome}
}

func (s sample) failed() bool   { return s.outcome&outcomeFailed != 0 }
func (s sample) answered() bool { return s.outcome&outcomeFailure == 0 }

// unpack is the opposite of pack, to a millisecond and a microsecond.
func (s sample) unpack(of checks.Target) checks.Sample {
	failure := probes.FailureOther // written by a newer program
	if n := int(s.outcome & outcomeFailure >> 1); n < len(failures) {
		failure = failures[n]
	}
	return checks.Sample{
		Target: of, At: time.UnixMilli(s.ts).UTC(), OK: !s.failed(),
		Latency: time.Duration(s.latency) * time.Microsecond,
		Status:  int(s.outcome >> outcomeStatus), Failure: failure,
	}
}
