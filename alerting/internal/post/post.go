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
	"io"
	"net/http"
	"net/url"
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
