package probes

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// limitedFor returns how long an answer that a limit of requests may have caused wants no other
// request, within bounds; 0: it is another answer.
func limitedFor(status int, doc Document) time.Duration {
	if !refusesPace(status, doc.Body) {
		return 0
	}
	seconds, _ := strconv.Atoi(doc.Header.Get("Retry-After"))
	return time.Duration(min(max(1, seconds), 10)) * time.Second
}

// refusesPace reports whether an answer is one with which a server refuses a client that sends too
// many requests: a 429, or the page that a balancer has for it by default. Of other 503 and 403, which
// nodes and failing balancers give as well, the status says nothing.
func refusesPace(status int, body []byte) bool {
	contains := func(text string) bool { return bytes.Contains(body, []byte(text)) }
	switch status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable: // nginx, limit_req and limit_conn; a node that fails makes it answer 502 or 504
		return contains("<center><h1>503 Service Temporarily Unavailable</h1></center>") && contains("<hr><center>")
	case http.StatusForbidden: // HAProxy, http-request deny
		return contains("Request forbidden by administrative rules.")
	default:
		return false
	}
}

const (
	// limitWindow is the longest time whose requests a limit is expected to count, as in HAProxy's
	// http_req_rate(10s). It counts those that it refuses as well.
	limitWindow = 10 * time.Second
	// fewestLimited is how many requests within limitWindow a limit is expected to serve. Fewer come from
	// stickwatch while all is well, so that an outage is seen at once.
	fewestLimited = 15
	// slowestPace bounds how long a round behind such a limit takes.
	slowestPace = time.Second
	// paceKept is the time after a refusal for which a pace is kept.
	paceKept = 10 * time.Minute
)

// A pace is how fast a limit of the balancer lets stickwatch send requests through it. Its zero
// value is that of the budget. The limiter's mutex guards it.
type pace struct {
	interval time.Duration // between two requests; 0: no limit is known
	started  time.Time     // the last request
	recent   []time.Time   // when requests were served, within limitWindow
	slowed   time.Time     // when a request that was in no crowd was last refused
	limited  time.Time     // when a request that had been refused was last served
}

// start records that a request is sent.
func (l *pace) start(p *permit, now time.Time) {
	if !p.direct {
		l.started = now
	}
}

// served records that a request was not refused.
func (l *pace) served(p *permit, now time.Time) {
	if p.direct {
		return
	}
	l.recent = append(l.within(now), now)
	if p.apart {
		l.limited = now
	}
}

// Limited reports whether the balancer refused requests within the last minutes because stickwatch sent
// many, and served their repeats.
func (l *Limiter) Limited() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.pace.limited) < paceKept
}

// within returns when requests were served within limitWindow.
func (l *pace) within(now time.Time) []time.Time {
	return slices.DeleteFunc(l.recent, func(at time.Time) bool { return now.Sub(at) >= limitWindow })
}

// allowsAt returns the time from which a request may be sent.
func (l *pace) allowsAt(p *permit, now time.Time) time.Time {
	if p.direct || now.Sub(l.slowed) >= paceKept {
		return time.Time{}
	}
	return l.started.Add(l.interval)
}

// slowDown adapts to the refusal of a request that was in no crowd, and reports whether its repeat may
// be served after limitWindow: many others were served within that time. A balancer that refuses the
// repeat as well refuses everybody, and so does one that served few.
func (l *pace) slowDown(p *permit, now time.Time) bool {
	l.recent = l.within(now)
	switch {
	case p.direct || p.inCrowd():
		return false
	case p.afterWindow:
		l.interval = 0
		return false
	case len(l.recent) < fewestLimited || now.Sub(l.slowed) < time.Minute:
		return false
	}
	l.slowed = now
	l.interval = min(slowestPace, 2*limitWindow/time.Duration(len(l.recent)))
	return true
}
