// Package post hands a body to a receiver over HTTP, and says what became of it
// in the terms of package alerting: taken, to be tried again, or refused.
//
// What comes back is hostile: it is read to a bound, and shown only where the
// address is no secret. No error shows the address.
package post

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/probes"
)

// Timeout bounds an exchange with a receiver, from name resolution to the last
// byte read. It is generous: a receiver that took a message and is cut off
// before it says so gets the message twice.
const Timeout = 20 * time.Second

// maxAnswer is how much of an answer is read, in bytes, so that its connection
// can be used again.
const maxAnswer = 64 << 10

// Client is base with a time-out, if it has none, and without redirects to
// elsewhere. A nil base is a new client.
func Client(base *http.Client) *http.Client {
	if base == nil {
		base = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	c := *base
	c.Timeout = cmp.Or(c.Timeout, Timeout)
	c.CheckRedirect = stayHere
	return &c
}

// stayHere follows a redirect only where the message goes on as it is, to the
// same place: another host was never meant to read it, and a POST that becomes
// a GET is lost without a word.
func stayHere(next *http.Request, via []*http.Request) error {
	first := via[0]
	same := next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host && next.Method == first.Method
	if !same || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// A Endpoint is an address that takes messages.
type Endpoint struct {
	Client *http.Client // from Client
	URL    *url.URL
	Quote  func(answer string) string // what of a refusal is shown; nil: nothing, since error pages repeat the address
}

// Post sends a body with headers, which it may add to. Its error is an alerting.Retriable or an
// alerting.Permanent, around a Refusal if there was an answer.
func (b Endpoint) Post(ctx context.Context, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.URL.String(), bytes.NewReader(body))
	if err != nil {
		return alerting.Permanent{Err: Unaddressed(err)}
	}
	req.Header = header
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "stickwatch")
	}
	res, err := b.Client.Do(req)
	if err != nil {
		return alerting.Retriable{Err: Unaddressed(err)}
	}
	defer res.Body.Close()
	// An answer that breaks off has still said its status.
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	refusal := Refusal{Status: res.StatusCode}
	if b.Quote != nil {
		refusal.Answer = b.Quote(probes.Clean(string(answer), probes.MaxError))
	}
	return Classify(refusal, res.Header, time.Now())
}

// Unaddressed is an error of net/http without the address that it names, since
// the path of a webhook is its password.
func Unaddressed(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapped.Err
	}
}

// A Refusal is an HTTP answer that did not take a message.
type Refusal struct {
	Status int
	Answer string // as far as it is shown; "": nothing is
}

func (r Refusal) Error() string {
	text := fmt.Sprintf("got status %d %s", r.Status, http.StatusText(r.Status))
	if r.Status >= 300 && r.Status < 400 {
		text += ", a redirect that is not followed"
	}
	if r.Answer != "" {
		text += fmt.Sprintf(": %q", r.Answer)
	}
	return text
}

// RepairPause is between tries while somebody has to put something right: a
// password is renewed, an address corrected, and what waited is still to be told.
const RepairPause = time.Minute

// repairable refusals are about where and by whom a message comes, not about the
// message. Like a redirect that is not followed, they last until the
// configuration, or the receiver, is put right.
var repairable = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired,
}

// Classify tells what an answer means for a message: nil if it was taken, or r as
// an alerting.Retriable or an alerting.Permanent. Only a message that will never
// do is given up: one lost is worse than one that comes late.
func Classify(r Refusal, header http.Header, now time.Time) error {
	switch status := r.Status; {
	case status >= 200 && status < 300:
		return nil
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return alerting.Retriable{After: RetryAfter(header, now), Err: r}
	case status < 400, slices.Contains(repairable, status):
		return alerting.Retriable{After: RepairPause, Err: r}
	default:
		return alerting.Permanent{Err: r}
	}
}

// maxPause bounds what a receiver may ask for: a mistake of it, or of something
// on the way, must not silence it for days.
const maxPause = time.Hour

// RetryAfter is for how long an answer asks to be left alone, in seconds or as
// a date; 0: it does not ask. Seconds that no number holds are as many as may be.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 31)
	switch {
	case err == nil:
		return Pause(time.Duration(seconds) * time.Second)
	case errors.Is(err, strconv.ErrRange):
		return maxPause
	}
	if at, err := http.ParseTime(value); err == nil {
		return Pause(at.Sub(now))
	}
	return 0
}

// Pause is a wait as far as it is granted.
func Pause(asked time.Duration) time.Duration { return min(max(asked, 0), maxPause) }

// BoundRetryAfter is next, or net/http's own for nil, for a client library that
// reads Retry-After itself and fails or overflows where the number is too large.
func BoundRetryAfter(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return bounding{next}
}

type bounding struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounding) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(req)
	if err == nil {
		if _, bad := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); errors.Is(bad, strconv.ErrRange) {
			res.Header.Set("Retry-After", strconv.Itoa(int(maxPause/time.Second)))
		}
	}
	return res, err
}
