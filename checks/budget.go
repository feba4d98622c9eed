package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// ejectionBudget tells how long nginx goes on sending requests to a node that
// fails: from its own error log where there is one, else at an assumed rate.
// nginx counts connection errors and time-outs; HTTP errors only where
// proxy_next_upstream lists them.
func ejectionBudget(v *outcomes, n probes.Node) Message {
	l, logged := loggedFailuresOf(v.nodeStates, n)
	switch b := v.Cluster.Balancer; {
	case checksHealth(v.nodeStates) || b.Method == probes.MethodCookie && !logged:
		return msg(MsgBudgetOfHealthChecks, Args{})
	case b.MaxFails == 0:
		return msg(MsgBudgetEndless, Args{})
	case b.MaxFails == 1:
		return msg(MsgBudgetOfOne, Args{Duration: b.FailTimeout})
	case logged:
		return l.budget()
	default:
		return assumedBudget(v, n.ID)
	}
}

// checksHealth reports whether the balancer is one of those that tell of health
// checks of their own.
func checksHealth(v *nodeStates) bool {
	return slices.ContainsFunc(v.Evidence, func(o probes.EvidenceObservation) bool { return o.Kind != probes.EvidenceNginxErrorLog })
}

// assumedBudget knows of no user's request. The longest time is that of a node
// of which a request fails just before nginx would forget the one before.
func assumedBudget(v *outcomes, node string) Message {
	b, failing := v.Cluster.Balancer, failureRate(v, node)
	return msg(MsgBudgetAssumed, Args{
		Duration: TimeToEjection(b.MaxFails, 1, failing, 0).Round(time.Second), Rate: 100 * failing, Of: b.MaxFails,
		Longest: time.Duration(b.MaxFails-1) * b.FailTimeout, Limit: b.FailTimeout,
	})
}

// budget is the time left by the rate at which requests have failed.
func (l loggedFailures) budget() Message {
	rate, over := l.rate()
	switch pause := l.pause(); {
	case l.ejected():
		return msg(MsgBudgetSpent, Args{Of: l.maxFails, Duration: l.failTimeout + time.Second})
	case pause > 0:
		return msg(MsgBudgetNever, Args{
			Duration: seconds(pause), Limit: l.failTimeout, Longest: seconds(l.left(len(l.Seconds), 1, 1/pause.Seconds())),
		})
	case !l.goesOn():
		return l.uncounted()
	case rate == 0:
		return msg(MsgBudgetTooNew, Args{Of: l.maxFails, Count: l.Run, Why: new(l.timeLeft(1))})
	default:
		return msg(MsgBudgetLeft, Args{Why: new(l.timeLeft(rate)), Rate: rate, Duration: seconds(over), Of: l.maxFails, Count: l.Run})
	}
}

// uncounted: the node fails in a way that nginx does not hold against it.
func (l loggedFailures) uncounted() Message {
	return msg(MsgBudgetUncounted, Args{Since: l.last()})
}

// timeLeft is until the node is first ejected. Where several workers had
// failures the log does not tell whether they count together, unless together
// they have long counted enough.
func (l loggedFailures) timeLeft(rate float64) Message {
	together := seconds(l.left(l.Run, 1, rate))
	alone := seconds(l.left(l.RunOfWorker, l.Workers, rate))
	switch {
	case l.Workers <= 1:
		return msg(MsgTimeLeft, Args{Duration: together})
	case l.Run >= l.maxFails:
		return msg(MsgTimeLeftOfWorkers, Args{Duration: alone, Count: l.Workers})
	default:
		return msg(MsgTimeLeftWithZone, Args{Duration: together, Longest: alone, Count: l.Workers})
	}
}

// left is the time until the failures that are missing have come. Of those of
// counted the first is there, as it is in TimeToEjection.
func (l loggedFailures) left(counted, workers int, rate float64) time.Duration {
	return TimeToEjection(l.maxFails-counted+1, workers, rate, 0)
}

// TimeToEjection is how long nginx goes on sending requests to a failing server
// before a worker first ejects it: max_fails failures must be counted, of which
// the first is there at once.
//
// The rate is that of failing requests a second first sent to the server, all
// workers together; latency is how long one takes to fail. An upstream with a
// zone counts as one worker.
func TimeToEjection(maxFails, workers int, rate float64, latency time.Duration) time.Duration {
	gaps := float64(max(0, maxFails-1)*max(1, workers)) / rate
	return latency + time.Duration(gaps*float64(time.Second))
}

// seconds is a time to the second, and at least one.
func seconds(d time.Duration) time.Duration { return max(time.Second, d.Round(time.Second)) }
