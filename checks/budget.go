package checks

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// ejectionBudget tells how long nginx goes on sending requests to a node that
// fails: from its own error log where there is one, else at an assumed rate.
// nginx counts connection errors and time-outs; HTTP errors only where
// proxy_next_upstream lists them.
func (v *view) ejectionBudget(n probes.Node) string {
	l, logged := v.logged(n)
	switch b := v.Cluster.Balancer; {
	case v.checksHealth() || b.Method == probes.MethodCookie && !logged:
		return "when the balancer ejects it is for its own health checks to say"
	case b.MaxFails == 0:
		return "the balancer's ejection is off (max_fails=0): it goes on until somebody acts"
	case b.MaxFails == 1:
		return fmt.Sprintf("with max_fails=1 nginx ejects it at the next failed connection or time-out, for %s, in each worker; HTTP errors count only if proxy_next_upstream lists them", b.FailTimeout)
	case logged:
		return l.budget()
	default:
		return v.assumedBudget(n.ID)
	}
}

// checksHealth reports whether the balancer is one of those that tell of health
// checks of their own.
func (v *view) checksHealth() bool {
	return slices.ContainsFunc(v.Evidence, func(o probes.EvidenceObservation) bool { return o.Kind != probes.EvidenceNginxErrorLog })
}

// assumedBudget knows of no user's request. The longest time is that of a node
// of which a request fails just before nginx would forget the one before.
func (v *view) assumedBudget(node string) string {
	b, failing := v.Cluster.Balancer, v.failing(node)
	return fmt.Sprintf("about %s left at an assumed request a second of which %.0f %% fail (max_fails=%d, each worker for itself), and at most %s, at one failure every fail_timeout=%s; "+
		"rarer ones are forgotten if a request succeeds between, and HTTP errors count only if proxy_next_upstream lists them. "+
		"nginx's error log (balancer.evidence.nginx_error_log) would tell the true rate",
		TimeToEjection(b.MaxFails, 1, failing, 0).Round(time.Second), 100*failing, b.MaxFails,
		time.Duration(b.MaxFails-1)*b.FailTimeout, b.FailTimeout)
}

// budget is the time left by the rate at which requests have failed.
func (l loggedFailures) budget() string {
	rate, over := l.rate()
	switch pause := l.pause(); {
	case l.ejected():
		return fmt.Sprintf("none left: by its error log nginx has ejected it (max_fails=%d); it lets a request try every %s, and the first that succeeds brings it back without a reload",
			l.maxFails, l.failTimeout+time.Second)
	case pause > 0:
		return fmt.Sprintf("never, while it answers now and then: it fails once in %s (nginx's error log), and a success more than fail_timeout=%s after a failure clears the count; if it never answers, about %s left",
			seconds(pause), l.failTimeout, seconds(l.left(len(l.Seconds), 1, 1/pause.Seconds())))
	case !l.goesOn():
		return l.uncounted()
	case rate == 0:
		return fmt.Sprintf("max_fails=%d has counted about %d (nginx's error log), too lately to tell their rate: at an assumed failure a second %s",
			l.maxFails, l.Run, l.timeLeft(1))
	default:
		return fmt.Sprintf("%s: before this round requests to it failed %s (nginx's error log, %s), and max_fails=%d has counted about %d",
			l.timeLeft(rate), often(rate), seconds(over), l.maxFails, l.Run)
	}
}

// uncounted: the node fails in a way that nginx does not hold against it.
func (l loggedFailures) uncounted() string {
	since := ""
	if !l.last().IsZero() {
		since = " since " + l.last().UTC().Format(time.TimeOnly)
	}
	return "nothing shows that nginx will eject it: its error log has no failed connection or time-out on it" + since +
		"; HTTP errors count only if proxy_next_upstream lists them, and requests that clients give up never do"
}

// timeLeft is until the node is first ejected. Where several workers had
// failures the log does not tell whether they count together, unless together
// they have long counted enough.
func (l loggedFailures) timeLeft(rate float64) string {
	together := seconds(l.left(l.Run, 1, rate))
	alone := seconds(l.left(l.RunOfWorker, l.Workers, rate))
	switch {
	case l.Workers <= 1:
		return fmt.Sprintf("about %s left", together)
	case l.Run >= l.maxFails:
		return fmt.Sprintf("about %s left until the first of %d workers ejects it, each counting for itself", alone, l.Workers)
	default:
		return fmt.Sprintf("about %s left if the upstream has a zone, else about %s until the first of %d workers ejects it", together, alone, l.Workers)
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

// often says a rate in words.
func often(perSecond float64) string {
	if perSecond < 1 {
		return "once in " + seconds(time.Duration(float64(time.Second)/perSecond))
	}
	return fmt.Sprintf("%.1f times a second", perSecond)
}

// seconds is a time to the second, and at least one.
func seconds(d time.Duration) string { return max(time.Second, d.Round(time.Second)).String() }
