package probes

import (
	"net/netip"
	"slices"
	"time"
)

// An Exchange is one request with its answer, or with the reason why there is none.
// Every text in it is bounded, and session ids appear as fingerprints only.
type Exchange struct {
	At           time.Time      // when the request started
	Path         string         // the path requested
	Address      netip.AddrPort // the address dialled; zero if no name resolved
	LocalAddress netip.Addr     // this machine's end of the connection; zero if there was none

	Status  int     // HTTP status; 0: no HTTP answer
	Failure Failure // "": the answer is complete
	Error   string  // one clean line for people; "" without Failure
	Timing  Timing

	Label        string      // the name of the node that answered, according to the answer; "": unknown
	Store        string      // the store that holds the session, according to the answer; "": unknown
	Session      Fingerprint // of the session id without its route; "": unknown
	Truncated    bool        // the answer was longer than MaxBody, and its end is unknown
	ShowsSession bool        // the answer itself contains the session id: on its page, or in a cookie that it sets
	HasRoute     bool        // the session cookie has a route, such as Tomcat's jvmRoute
	NewID        bool        // the answer set a session cookie that was not sent
	Value        string      // the stored value in the answer; "": none
	Version      string      // the application's version, according to the answer
	Title        string      // of a page without a session; "": it has none, or was not read
	LoggedIn     LoginState  // whether the answer is one to a user; "": unknown, or the client is a visitor
	Rejected     []RejectedCookie
	CookieBytes  int // length of the cookies that were sent

	Clock       ClockOffset // from the Date header; no samples: unknown
	Certificate time.Time   // when the peer's certificate expires; zero: no TLS
	Redirect    string      // target of a redirect that was not followed, cleaned
	FinalPath   string      // path at which followed redirects ended, cleaned; "": none was followed
}

// A LoginState is whether a client is logged in, according to an answer.
type LoginState string

// The states, beside "" for unknown.
const (
	LoggedIn  LoginState = "yes"
	LoggedOut LoginState = "no"
)

// Answered reports whether there was an HTTP answer of any status.
func (e Exchange) Answered() bool { return e.Status != 0 }

// OK reports whether the answer is complete and its status is below 500.
func (e Exchange) OK() bool { return e.Failure == "" && e.Status != 0 && e.Status < 500 }

// ShowsNothing reports whether the answer shows neither node nor session nor value.
func (e Exchange) ShowsNothing() bool { return e.Label == "" && e.Value == "" && !e.ShowsSession }

// CookieEnded reports whether the request was sent without the session, because its cookie had
// ended as the application wanted. The answer shows nothing about that session.
func (e Exchange) CookieEnded() bool {
	return slices.ContainsFunc(e.Rejected, func(r RejectedCookie) bool { return r.Rule == CookieEnded })
}

// Timing divides an exchange into phases, each of which starts at the end of the one
// before. After redirects, it is that of the last request. A phase that did not take
// place is 0.
type Timing struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from writing the request to the first byte of the answer
	Total     time.Duration // the whole exchange, body included
}

// A Failure is the class of an error. Exchange.Error is its text.
type Failure string

// The classes.
const (
	FailureDNS         Failure = "dns" // includes a resolver that does not answer
	FailureRefused     Failure = "refused"
	FailureUnreachable Failure = "unreachable"
	FailureReset       Failure = "reset"     // closed before or within an answer
	FailureTimeout     Failure = "timeout"   // includes endless answers
	FailureTLS         Failure = "tls"       // handshake or certificate
	FailureMalformed   Failure = "malformed" // no HTTP, or malformed HTTP
	FailureRedirect    Failure = "redirect"  // a loop, or too many
	FailureCancelled   Failure = "cancelled" // stickwatch itself stopped
	FailureProber      Failure = "prober"    // an error of this machine: no descriptor, port or permission; see IsLocalError
	FailureOther       Failure = "other"
)

// A RejectedCookie is a cookie that an answer set and that a browser would not send
// back.
type RejectedCookie struct {
	Name string
	Rule CookieRule    // the rule that the cookie breaks
	Has  string        // the attribute of the cookie: its Domain for CookieDomain, its Path for CookiePath, its default path for CookieNoPath
	Asks string        // the host or path that does not match the attribute; for CookieSecure the scheme
	Life time.Duration // for CookieEnded: the time between its being set and its end
}

// A CookieRule is a rule by which a browser does not send a cookie back.
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
	CookieReplaced     CookieRule = "replaced" // by another cookie of that name in the same answer
	CookieEnded        CookieRule = "ended"    // Max-Age or Expires, which no later answer extended
)

// A ClockOffset is the difference between a node's clock and the clock of this machine,
// as the open interval (Min, Max). Samples is 0 if nothing is known.
type ClockOffset struct {
	Min, Max time.Duration
	Samples  int
}

// Intersect narrows o by another sample of the same clock. If the samples contradict
// each other, the clock was set in between or two machines answered, and the result is
// unknown.
func (o ClockOffset) Intersect(other ClockOffset) ClockOffset {
	switch {
	case o.Samples == 0:
		return other
	case other.Samples == 0:
		return o
	}
	both := ClockOffset{Min: max(o.Min, other.Min), Max: min(o.Max, other.Max), Samples: o.Samples + other.Samples}
	if both.Min >= both.Max {
		return ClockOffset{}
	}
	return both
}

// clockOf returns the clock offset that all exchanges with one node agree on.
func clockOf(exchanges []Exchange) ClockOffset {
	var all ClockOffset
	seen := make(map[time.Time]bool) // one exchange may be in the list twice
	for _, ex := range exchanges {
		if ex.Clock.Samples == 0 || seen[ex.At] {
			continue
		}
		seen[ex.At] = true
		both := all.Intersect(ex.Clock)
		if both.Samples == 0 {
			return both // a contradiction stays, whatever the next samples are
		}
		all = both
	}
	return all
}
