package probes

import (
	"net/netip"
	"time"
)

// An Exchange is one request and what came back, or why nothing did. It is the
// atom of every observation. Nothing in it is longer than its bounds, and no
// session id is in it: only fingerprints.
type Exchange struct {
	At           time.Time      // when it began
	Path         string         // what was asked
	Address      netip.AddrPort // who was dialled; zero when no name resolved
	LocalAddress netip.Addr     // this prober's end of the connection; zero when none came about

	Status  int     // HTTP status; 0: no HTTP answer
	Failure Failure // "": the answer came in whole
	Error   string  // one clean line for people; "" without Failure
	Timing  Timing

	Label        string      // what the answer says about the node that gave it; "": it does not tell
	Store        string      // what it says about the store that holds the session; "": it does not tell
	Session      Fingerprint // of the session id without its route; "": it does not tell
	Truncated    bool        // the answer was longer than MaxBody, and is not known in whole
	ShowsSession bool        // the answer itself shows the session's id: on its page, or in a cookie that it sets
	HasRoute     bool        // the session cookie carries a route, as Tomcat's jvmRoute
	NewID        bool        // the answer set a session cookie that had not been sent
	Value        string      // the stored value the answer shows; "": none
	Version      string      // what the answer says of the application's version
	Rejected     []RejectedCookie

	Clock       ClockOffset // from the Date header; no samples: none
	Certificate time.Time   // when the peer's certificate expires; zero: no TLS
	Redirect    string      // where an unfollowed redirect pointed, cleaned
	FinalPath   string      // the path at which redirects that were followed ended, cleaned; "": none was
}

// Answered reports whether an HTTP answer came, whatever it said.
func (e Exchange) Answered() bool { return e.Status != 0 }

// OK reports whether an answer came in whole, with a status below 500.
func (e Exchange) OK() bool { return e.Failure == "" && e.Status != 0 && e.Status < 500 }

// Timing splits an exchange in phases, each from the end of the one before;
// after redirects, the last hop's. A phase that did not take place is 0.
type Timing struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // writing the request and waiting for the first byte of the answer
	Total     time.Duration // all of it, body included
}

// A Failure is the class of what went wrong; Exchange.Error has the words.
type Failure string

// The classes.
const (
	FailureDNS         Failure = "dns" // includes a resolver that does not answer
	FailureRefused     Failure = "refused"
	FailureUnreachable Failure = "unreachable"
	FailureReset       Failure = "reset"     // closed before or in the middle of an answer
	FailureTimeout     Failure = "timeout"   // includes endless answers
	FailureTLS         Failure = "tls"       // handshake or certificate
	FailureMalformed   Failure = "malformed" // speaks no HTTP, or broken HTTP
	FailureRedirect    Failure = "redirect"  // in circles, or too many
	FailureCancelled   Failure = "cancelled" // stickwatch itself stopped
	FailureProber      Failure = "prober"    // this machine could not connect: no descriptor, port or right; see Own
	FailureOther       Failure = "other"
)

// A RejectedCookie is a cookie that was set and would not come back.
type RejectedCookie struct {
	Name string
	Rule CookieRule // that it breaks
	Has  string     // what the cookie says: of CookieDomain its Domain, of CookiePath its Path, of CookieNoPath the folder that it belongs to
	Asks string     // what does not fit that: a host, a path; of CookieSecure the scheme
}

// A CookieRule is one by which a browser does not send a cookie back.
type CookieRule string

// The rules.
const (
	CookieTooLong      CookieRule = "too_long"
	CookieSecurePrefix CookieRule = "secure_prefix" // __Secure- without Secure
	CookieHostPrefix   CookieRule = "host_prefix"   // __Host- without Secure and Path=/, or with a Domain
	CookieSameSite     CookieRule = "same_site"     // SameSite=None without Secure
	CookieSecure       CookieRule = "secure"        // Secure, over http
	CookieDomain       CookieRule = "domain"
	CookiePath         CookieRule = "path"
	CookieNoPath       CookieRule = "no_path"
)

// A ClockOffset is an interval that holds the difference between the node's
// clock and ours, in (Min, Max). Samples is 0 when nothing is known.
type ClockOffset struct {
	Min, Max time.Duration
	Samples  int
}

// Intersect narrows o by another sample of the same clock. Samples that contradict
// each other mean that the clock was stepped, or that two machines answered:
// then nothing is known.
func (o ClockOffset) Intersect(other ClockOffset) ClockOffset {
	switch {
	case o.Samples == 0:
		return other
	case other.Samples == 0:
		return o
	}
	met := ClockOffset{Min: max(o.Min, other.Min), Max: min(o.Max, other.Max), Samples: o.Samples + other.Samples}
	if met.Min >= met.Max {
		return ClockOffset{}
	}
	return met
}

// clockOf is what exchanges with one node tell together of its clock.
func clockOf(exchanges []Exchange) ClockOffset {
	var all ClockOffset
	seen := make(map[time.Time]bool) // one exchange may stand for two questions
	for _, ex := range exchanges {
		if ex.Clock.Samples == 0 || seen[ex.At] {
			continue
		}
		seen[ex.At] = true
		met := all.Intersect(ex.Clock)
		if met.Samples == 0 {
			return met // not to be forgotten for the next sample
		}
		all = met
	}
	return all
}
