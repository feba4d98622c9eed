package alerting

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// An echo is a Notifier that returns an error.
type echo struct{ err error }

func (e echo) Notify(context.Context, Notification) (DeliveryRef, error) { return DeliveryRef{}, e.err }

type findingEcho struct{ echo }

func (e findingEcho) Find(context.Context, Notification) (DeliveryRef, bool, error) {
	return DeliveryRef{}, false, e.err
}

type refreshingEcho struct{ echo }

func (e refreshingEcho) Refresh(context.Context, []Incident) error { return e.err }

// TestRedactErrors: errors contain no secret and keep their type, and a Notifier
// keeps its other methods.
func TestRedactErrors(t *testing.T) {
	const secret = "hunter2-hunter2"
	cause := fmt.Errorf("got status 400: %q", "Authorization: Bearer "+secret)
	for _, err := range []error{Permanent{Err: cause}, Retriable{After: 7, Err: cause}, cause} {
		for _, n := range []Notifier{echo{err}, findingEcho{echo{err}}, refreshingEcho{echo{err}}} {
			d := RedactErrors(n, secret)
			_, wasFinder := n.(Finder)
			finder, isFinder := d.(Finder)
			_, wasRefresher := n.(Refresher)
			refresher, isRefresher := d.(Refresher)
			if wasFinder != isFinder || wasRefresher != isRefresher {
				t.Errorf("%T: it can do something else", n)
			}
			_, got := d.Notify(t.Context(), Notification{})
			all := []error{got}
			if isFinder {
				_, _, err := finder.Find(t.Context(), Notification{})
				all = append(all, err)
			}
			if isRefresher {
				all = append(all, refresher.Refresh(t.Context(), nil))
			}
			for _, got := range all {
				if text := fmt.Sprintf("%v %+v %q", got, got, got); strings.Contains(text, secret) || !strings.Contains(text, "Bearer ***") {
					t.Errorf("%T: got %s", n, text)
				}
				was, _ := errors.AsType[Retriable](err)
				is, _ := errors.AsType[Retriable](got)
				if was.After != is.After {
					t.Errorf("%T: got a pause of %s, want %s", n, is.After, was.After)
				}
			}
		}
	}
}
