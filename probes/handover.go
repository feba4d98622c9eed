package probes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// This file moves a canary from one process to another.

// A canaryState is a canary in the form in which another process continues it.
type canaryState struct {
	Now      time.Time // when the state was taken, by the clock of all its times
	URL      string
	Address  netip.AddrPort
	Client   string
	Base     int    // see NewCanary
	Counter  int    // the value that it sent last
	Written  int    // the value that the session had last; see Canary.written
	Keeper   string // see Canary.keeper
	Holder   string // see Canary.holder
	Opened   time.Time
	OpenedBy string
	Visitor  bool
	Renews   bool
	Last     Exchange // the last answer that had the session
	Cookies  []cookieState
}

type cookieState struct {
	From   string // the URL whose answer set it
	Cookie *http.Cookie
	Set    time.Time
}

const (
	// unseenWrites is how many values a canary may have sent after its state was taken, within a minute or two.
	unseenWrites = 100
	// ValuesPerClient is how many values lie between the base of one client and that of the next.
	ValuesPerClient = 1000
)

// ErrSpent is the error of ContinueCanary if the session's cookie has ended, or if the canary has no
// further values to send. It comes with the canary, which is of use only to log out.
var ErrSpent = errors.New("continuing a canary: its cookie has ended, or its values are used up")

// State returns the canary with its session, for ContinueCanary in another process; nil: it has none.
// It contains cookies, which are credentials: it must be encrypted before it leaves the process.
func (c *Canary) State() json.RawMessage {
	now := time.Now()
	c.mu.Lock()
	spoiled, trace := c.spoiled, c.trace
	trace.Steps = slices.Clone(trace.Steps)
	s := canaryState{
		Now: now, URL: trace.URL, Address: trace.Balancer, Client: trace.Client, Base: trace.Base,
		Counter: c.counter, Written: c.written, Keeper: c.keeper, Holder: c.holder,
		Opened: byWallClock(c.opened, now), OpenedBy: trace.OpenerLabel, Visitor: trace.Visitor, Renews: trace.Renews, Cookies: c.jar.state(now),
	}
	c.mu.Unlock()
	last := -1
	for i := range trace.Steps {
		switch outcome := trace.SessionOutcome(i); {
		case trace.Steps[i].CookieEnded():
			return nil
		case outcome == SessionLost, outcome == SessionStale: // the next process finds that, too
		case c.hasSession(trace.Steps[i]):
			last = i
		}
	}
	if last < 0 || spoiled {
		return nil
	}
	s.Last = trace.Steps[last].Exchange
	s.Last.At = byWallClock(s.Last.At, now)
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text
}

// byWallClock returns t, measured back from now by elapsed time, so that a clock that was set since
// then does not change its age in another process.
func byWallClock(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now)).Round(0)
}

// sessionIDs counts the session ids that canaries have received.
var sessionIDs atomic.Int64

// Revision grows when State has another session id, and is greater for a newer canary.
func (c *Canary) Revision() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revision
}

// ContinueCanary returns a canary of c with the session of a State that was taken at a moment, by the
// clock of this process. It fails if the balancer of c has another URL, and with ErrSpent. The caller
// sets the target node with Adopt.
func ContinueCanary(c *Cluster, state json.RawMessage, taken time.Time) (*Canary, error) {
	var s canaryState
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, fmt.Errorf("decoding the state of a canary: %w", err)
	}
	at := slices.IndexFunc(c.Balancer.URLs, func(u *url.URL) bool { return u.Redacted() == s.URL })
	if at < 0 || !s.Address.IsValid() {
		return nil, fmt.Errorf("continuing a canary: the balancer is not at %q any more", Clean(s.URL, MaxValue))
	}
	local := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return taken.Add(t.Sub(s.Now))
	}
	canary := NewCanary(c, Frontend{URL: c.Balancer.URLs[at], Address: s.Address}, s.Client, "", s.Base)
	canary.counter, canary.written, canary.keeper, canary.holder = s.Counter+unseenWrites, s.Written, s.Keeper, s.Holder
	canary.revision = sessionIDs.Add(1)
	canary.session, canary.opened = s.Last.Session, local(s.Opened)
	s.Last.At = local(s.Last.At)
	trace := &canary.trace
	trace.Opened, trace.OpenerLabel, trace.Visitor, trace.Continued = canary.opened, s.OpenedBy, s.Visitor, true
	trace.Renews = s.Renews
	trace.Steps = []Step{{Kind: StepFirst, Counter: canary.counter, Exchange: s.Last}}
	now, spent := time.Now(), canary.counter > s.Base+ValuesPerClient-1
	for _, cookie := range s.Cookies {
		from, err := url.Parse(cookie.From)
		if err != nil || cookie.Cookie == nil {
			return nil, fmt.Errorf("continuing a canary: a cookie is not from a URL")
		}
		cookie.Cookie.Expires = local(cookie.Cookie.Expires)
		spent = spent || deletes(cookie.Cookie, now) && c.Session != nil && isSessionCookie(cookie.Cookie.Name, c.Session.Cookie)
		canary.jar.set(jarCookie{from, cookie.Cookie, local(cookie.Set)}, now)
	}
	if spent {
		return canary, ErrSpent
	}
	return canary, nil
}

// state returns the cookies with their origins, and their times by the clock that shows now.
func (j *Jar) state(now time.Time) (list []cookieState) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, h := range j.contents {
		cookie := *h.cookie
		cookie.Expires = byWallClock(cookie.Expires, now)
		list = append(list, cookieState{h.url.String(), &cookie, byWallClock(h.set, now)})
	}
	return list
}
