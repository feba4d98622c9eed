// Package post sends a body to a receiver over HTTP and classifies the response in
// terms of package alerting: success, Retriable, or Permanent.
//
// Responses are hostile: only a limited part is read, and errors quote only what the Quote or Judge of an
// Endpoint returns. No error contains the URL.
package post

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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

// Timeout bounds a request, from name resolution to the last byte of the response. It
// is long, because a request that is cancelled before the response is sent again, so that
// the receiver may show the message twice.
const Timeout = 20 * time.Second

// maxAnswer is the number of bytes read of a response. A longer response closes the
// connection.
const maxAnswer = 64 << 10

// Client returns a copy of base that has a timeout and follows no redirect to another
// host. If base is nil, the client asks for no compression, because net/http would
// decompress endless empty gzip members until the timeout.
func Client(base *http.Client) *http.Client {
	if base == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableCompression = true
		base = &http.Client{Transport: transport}
	}
	c := *base
	c.Timeout = cmp.Or(c.Timeout, Timeout)
	c.CheckRedirect = allowRedirect
	return &c
}

// allowRedirect allows a redirect only with the same method and to the same host. Another
// host must not read the message, and a POST that becomes a GET would be lost.
func allowRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	same := next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host && next.Method == first.Method
	if !same || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// An Endpoint is a URL that accepts messages.
type Endpoint struct {
	Client *http.Client // from Client
	URL    *url.URL
	Quote  func(answer string) string // returns the part of a response that errors quote; nil: none is quoted, because error pages may contain the URL
	Judge  Judge                      // nil: the status alone decides
}

// A Judge classifies a response by its body, for APIs with error codes of their own, some
// of which refuse a message with status 200. If judged is false, the status decides; if it is
// true and err is nil, the message was accepted.
type Judge func(status int, answer []byte) (judged bool, err error)

// Post sends a body with headers, to which it adds User-Agent if missing. Its error is an
// alerting.Retriable or an alerting.Permanent; if there was a response, it wraps a
// Refusal or the error of the Judge.
func (e Endpoint) Post(ctx context.Context, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL.String(), bytes.NewReader(body))
	if err != nil {
		return alerting.Permanent{Err: probes.WithoutURL(err)}
	}
	req.Header = header
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "stickwatch")
	}
	res, err := e.Client.Do(req)
	if err != nil {
		return alerting.Retriable{Err: probes.WithoutURL(err)}
	}
	defer res.Body.Close()
	// The status is valid even if the response is incomplete.
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if e.Judge != nil {
		if judged, err := e.Judge(res.StatusCode, answer); judged {
			return err
		}
	}
	refusal := Refusal{Status: res.StatusCode}
	if e.Quote != nil {
		refusal.Answer = e.Quote(probes.Clean(string(answer), probes.MaxError))
	}
	return classify(refusal, res.Header, time.Now())
}

// A Refusal is an HTTP response that did not accept a message.
type Refusal struct { //nolint:errname // an HTTP response that is an error; named after its meaning
	Status int
	Answer string // the part to show; "": nothing
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

// RepairPause is the time between attempts while the configuration or the receiver needs
// a correction, such as another password or URL.
const RepairPause = time.Minute

// repairableStatuses are the statuses that are not about the message. Like a redirect that is
// not followed, they last until the configuration or the receiver is corrected.
var repairableStatuses = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired,
}

// classify returns nil if the status says that the message was accepted, and otherwise r
// as an alerting.Retriable, or as an alerting.Permanent if no attempt can succeed with this
// message.
func classify(r Refusal, header http.Header, now time.Time) error {
	switch status := r.Status; {
	case status >= 200 && status < 300:
		return nil
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return alerting.Retriable{After: retryAfter(header, now), Err: r}
	case status < 400, slices.Contains(repairableStatuses, status):
		return alerting.Retriable{After: RepairPause, Err: r}
	default:
		return alerting.Permanent{Err: r}
	}
}

// retryAfter returns the pause in the Retry-After header, which has seconds or a date; 0:
// there is none. A number that overflows counts as alerting.MaxReceiverPause.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 31)
	switch {
	case err == nil:
		return BoundPause(time.Duration(seconds) * time.Second)
	case errors.Is(err, strconv.ErrRange):
		return alerting.MaxReceiverPause
	}
	if at, err := http.ParseTime(value); err == nil {
		return BoundPause(at.Sub(now))
	}
	return 0
}

// BoundPause bounds the pause that a receiver asked for.
func BoundPause(asked time.Duration) time.Duration {
	return min(max(asked, 0), alerting.MaxReceiverPause)
}

// BoundRetryAfter returns a RoundTripper that replaces a Retry-After number that
// overflows with alerting.MaxReceiverPause. Slack's client fails for such numbers. A nil next
// is the default transport.
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
			res.Header.Set("Retry-After", strconv.Itoa(int(alerting.MaxReceiverPause/time.Second)))
		}
	}
	return res, err
}

// JSON encodes a value without escaping HTML characters, because escapes are longer and
// receivers limit the length of a body.
func JSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// SendWithin calls send with each length limit, longest first, until the receiver does not
// refuse the message, and returns the last error. An alerting.Permanent is a refusal.
func SendWithin(send func(limit int) error, limits ...int) (err error) {
	for _, limit := range limits {
		err = send(limit)
		if _, refused := errors.AsType[alerting.Permanent](err); !refused {
			break
		}
	}
	return err
}
