package checks

import (
	"slices"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
)

// ejectionBudget returns how long nginx goes on sending requests to a failing node:
// from its error log if it can be read, otherwise at an assumed rate. nginx counts
// connection errors and time-outs, and HTTP errors only if proxy_next_upstream lists
// them.
func ejectionBudget(oc *outcomes, n probes.Node) Message {
	l, logged := loggedFailuresOf(oc.nodes, n)
	switch b := oc.round.Cluster.Balancer; {
	case oc.nodes.isUnchecked(n):
		return msg(MsgBudgetUnchecked, Args{})
	case checksHealth(oc.round) || b.Method == probes.MethodCookie && !logged:
		return msg(MsgBudgetOfHealthChecks, Args{})
	case b.MaxFails == 0:
		return msg(MsgBudgetEndless, Args{})
	case b.MaxFails == 1:
		return msg(MsgBudgetOfOne, Args{Duration: b.FailTimeout})
	case logged:
		return l.budget()
	default:
		return assumedBudget(oc, n.ID)
	}
}

// isUnchecked reports whether the balancer says that it does not check the health of a node.
func (ns *nodeStates) isUnchecked(n probes.Node) bool {
	return slices.ContainsFunc(ns.records(n), func(r evidence.Record) bool { return r.Unchecked })
}

// checksHealth reports whether the balancer's evidence is of a kind with health
// checks of its own.
func checksHealth(r *Round) bool {
	return slices.ContainsFunc(r.Evidence, func(o probes.EvidenceObservation) bool { return o.Kind != probes.EvidenceNginxErrorLog })
}

// assumedBudget returns the time without knowledge of users' requests. The longest
// time is that of a node of which one request fails just before nginx forgets the
// previous failure.
func assumedBudget(oc *outcomes, node string) Message {
	b, failing := oc.round.Cluster.Balancer, failureRate(oc, node)
	return msg(MsgBudgetAssumed, Args{
		Duration: TimeToEjection(b.MaxFails, 1, failing, 0).Round(time.Second), Rate: 100 * failing, Of: b.MaxFails,
		Longest: time.Duration(b.MaxFails-1) * b.FailTimeout, Limit: b.FailTimeout,
	})
}

// budget returns the time that is left at the rate at which requests have failed.
func (l loggedFailures) budget() Message {
	rate, over := l.rate()
	switch pause := l.pause(); {
	case l.ejected():
		return msg(MsgBudgetSpent, Args{Of: l.maxFails, Duration: l.failTimeout + time.Second})
	case pause > 0:
		return msg(MsgBudgetNever, Args{
			Duration: seconds(pause), Limit: l.failTimeout, Longest: seconds(l.untilEjection(len(l.Seconds), 1, 1/pause.Seconds())),
		})
	case !l.goesOn():
		return l.uncounted()
	case rate == 0:
		return msg(MsgBudgetTooNew, Args{Of: l.maxFails, Count: l.Run, Why: new(l.timeLeft(1))})
	default:
		return msg(MsgBudgetLeft, Args{Why: new(l.timeLeft(rate)), Rate: rate, Duration: seconds(over), Of: l.maxFails, Count: l.Run})
	}
}

// uncounted returns that the node fails in a way that nginx does not count.
func (l loggedFailures) uncounted() Message {
	return msg(MsgBudgetUncounted, Args{Since: l.last()})
}

// timeLeft returns the time until the node is first ejected. If several workers had
// failures, the log does not show whether they share a zone, unless their failures
// together exceed max_fails already.
func (l loggedFailures) timeLeft(rate float64) Message {
	together := seconds(l.untilEjection(l.Run, 1, rate))
	alone := seconds(l.untilEjection(l.RunOfWorker, l.Workers, rate))
	switch {
	case l.Workers <= 1:
		return msg(MsgTimeLeft, Args{Duration: together})
	case l.Run >= l.maxFails:
		return msg(MsgTimeLeftOfWorkers, Args{Duration: alone, Count: l.Workers})
	default:
		return msg(MsgTimeLeftWithZone, Args{Duration: together, Longest: alone, Count: l.Workers})
	}
}

// untilEjection returns the time until the missing failures have happened. As in
// TimeToEjection, the first of them has happened already.
func (l loggedFailures) untilEjection(counted, workers int, rate float64) time.Duration {
	return TimeToEjection(l.maxFails-counted+1, workers, rate, 0)
}

// TimeToEjection returns how long nginx sends requests to a failing server before a
// worker first ejects it: max_fails failures must be counted, of which the first
// happens at once.
//
// The rate is that of failing requests a second that are first sent to the server,
// for all workers together; latency is how long one takes to fail. An upstream with a
// zone counts as one worker.
func TimeToEjection(maxFails, workers int, rate float64, latency time.Duration) time.Duration {
	gaps := float64(max(0, maxFails-1)*max(1, workers)) / rate
	return latency + time.Duration(gaps*float64(time.Second))
}

// seconds rounds a time to seconds, and to at least one.
func seconds(d time.Duration) time.Duration { return max(time.Second, d.Round(time.Second)) }

// loggedFailures are the failed tries of a node in nginx's error log.
type loggedFailures struct {
	probes.Failures
	source      string
	detail      string // of the newest failure, in nginx's words
	state       probes.ServerState
	began, read time.Time // when the round began, and when the log was read
	maxFails    int
	failTimeout time.Duration
}

// loggedFailuresOf returns the failures of n in nginx's error log; none if the log
// does not mention n. It is not ok if no log can be read, or if its times are not
// plausible.
func loggedFailuresOf(ns *nodeStates, n probes.Node) (l loggedFailures, ok bool) {
	for _, o := range ns.round.Evidence {
		if o.Kind != probes.EvidenceNginxErrorLog || o.Error != "" {
			continue
		}
		b := ns.round.Cluster.Balancer
		l = loggedFailures{source: o.Source, began: ns.round.Started, read: o.At, maxFails: b.MaxFails, failTimeout: b.FailTimeout}
		for _, s := range o.Servers {
			if ns.matcher.Matches(n, o, s) {
				l.Failures, l.state, l.detail = s.Failures, s.State, s.Detail
				return l, s.Fails == 0 || !s.Failures.Since.IsZero()
			}
		}
		return l, true
	}
	return loggedFailures{}, false
}

// last returns the second of the newest failure; zero: there was none.
func (l loggedFailures) last() time.Time {
	if len(l.Seconds) == 0 {
		return time.Time{}
	}
	return l.Seconds[len(l.Seconds)-1].At
}

// goesOn reports whether failures are still happening: the silence since the newest
// one may be chance at their rate, and nginx would still add the next failure to
// them.
func (l loggedFailures) goesOn() bool {
	if l.last().IsZero() {
		return false
	}
	const missing = 5 // chance explains so many missing failures once in e⁵ = 148 times
	if rate, _ := l.rate(); rate > 0 && l.silence().Seconds() > missing/rate {
		return false
	}
	return l.silence() <= l.failTimeout
}

// silence returns the shortest time that there may have been no failure for.
func (l loggedFailures) silence() time.Duration { return l.read.Sub(l.last()) - time.Second }

// reached reports whether a worker has counted max_fails failures.
func (l loggedFailures) reached() bool { return l.maxFails > 0 && l.RunOfWorker >= l.maxFails }

// ejected reports whether nginx sends the node only occasional trial requests: the
// log says so, or max_fails was reached and the newest failure is that of a trial or
// recent. The log may have been rotated, so that it does not contain the line about
// the ejection.
func (l loggedFailures) ejected() bool {
	if l.state == probes.ServerDown {
		return true
	}
	runs := l.runs()
	for len(runs) > 1 && runs[len(runs)-1] == 1 {
		runs = runs[:len(runs)-1]
	}
	onTrial := len(runs) > 0 && l.Run == 1 && l.maxFails > 1 && runs[len(runs)-1] >= l.maxFails
	return (l.reached() || onTrial) && l.silence() <= 2*l.failTimeout
}

// rate returns the failures a second before this round began, which excludes our own
// burst of requests, and the time over which they were observed. It is 0 if that time
// is too short.
func (l loggedFailures) rate() (perSecond float64, over time.Duration) {
	until := l.began.Truncate(time.Second)
	from := until.Add(-max(time.Minute, 5*l.failTimeout))
	if l.Since.After(from) {
		from = l.Since
	}
	count, first := 0, until
	for _, s := range l.run() {
		if s.At.Before(from) || !s.At.Before(until) {
			continue
		}
		if count == 0 {
			first = s.At
		}
		count += s.Count
	}
	// The first failure happened somewhere within its second, and begins the time.
	over = until.Sub(first) - time.Second/2
	if count < 2 || over < time.Second {
		return 0, 0
	}
	return float64(count-1) / over.Seconds(), over
}

// run returns the seconds of the failures that nginx adds up: from the newest one
// back to the first pause longer than fail_timeout.
func (l loggedFailures) run() []probes.SecondCount {
	begin := len(l.Seconds)
	for i := range slices.Backward(l.Seconds) {
		begin = i
		if l.pauseBefore(i) {
			break
		}
	}
	return l.Seconds[begin:]
}

// runs returns the numbers of failures without such a pause between them, oldest
// first.
func (l loggedFailures) runs() []int {
	var counts []int
	for i, s := range l.Seconds {
		if i == 0 || l.pauseBefore(i) {
			counts = append(counts, 0)
		}
		counts[len(counts)-1] += s.Count
	}
	return counts
}

// pauseBefore reports whether nginx may have forgotten the failures before those of
// the ith second.
func (l loggedFailures) pauseBefore(i int) bool {
	return i > 0 && l.Seconds[i].At.Sub(l.Seconds[i-1].At) > l.failTimeout
}

// pause returns the mean time between failures if all are too far apart for nginx to
// add them up. It is 0 if some are not, if there are too few, or if they are too rare
// or too long ago.
func (l loggedFailures) pause() time.Duration {
	runs := l.runs()
	if len(runs) < 2 || slices.Max(runs) > 1 {
		return 0
	}
	mean := l.last().Sub(l.Seconds[0].At) / time.Duration(len(runs)-1)
	if mean > 10*l.failTimeout || l.silence() > 2*mean {
		return 0
	}
	return mean
}

// failureRate returns the share of the requests first sent to a node that failed; 1 if no client
// met a failure: it is known from direct requests then.
func failureRate(oc *outcomes, node string) float64 {
	failed, all := 0, oc.answersFrom(node)
	for _, a := range oc.answers {
		if a.failedNode == node || slices.Contains(a.upstreamsTried, node) {
			failed, all = failed+1, all+1
		}
	}
	if failed == 0 {
		return 1
	}
	return float64(failed) / float64(all)
}
