package post

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"stickwatch/alerting"
)

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
