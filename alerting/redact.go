package alerting

import (
	"context"

	"stickwatch/probes"
)

// A Secret is text that is redacted unless Reveal is called.
type Secret interface{ Reveal() string }

// RedactErrors returns a Notifier whose errors contain none of the secrets. A
// receiver may repeat a request in its error message, and errors are shown in the
// log, the outbox, and on the page. The result implements Finder and Refresher if n
// does.
func RedactErrors(n Notifier, secrets ...string) Notifier {
	base := redactor{n, secrets}
	finder, finds := n.(Finder)
	refresher, refreshes := n.(Refresher)
	switch {
	case finds && refreshes:
		return struct {
			redactor
			redactingFinder
			redactingRefresher
		}{base, redactingFinder{finder, secrets}, redactingRefresher{refresher, secrets}}
	case finds:
		return struct {
			redactor
			redactingFinder
		}{base, redactingFinder{finder, secrets}}
	case refreshes:
		return struct {
			redactor
			redactingRefresher
		}{base, redactingRefresher{refresher, secrets}}
	default:
		return base
	}
}

type redactor struct {
	notifier Notifier
	secrets  []string
}

func (r redactor) Notify(ctx context.Context, n Notification) (DeliveryRef, error) {
	deliveryRef, err := r.notifier.Notify(ctx, n)
	return deliveryRef, redact(err, r.secrets)
}

type redactingFinder struct {
	finder  Finder
	secrets []string
}

func (r redactingFinder) Find(ctx context.Context, n Notification) (DeliveryRef, bool, error) {
	deliveryRef, found, err := r.finder.Find(ctx, n)
	return deliveryRef, found, redact(err, r.secrets)
}

type redactingRefresher struct {
	refresher Refresher
	secrets   []string
}

func (r redactingRefresher) Refresh(ctx context.Context, open []Incident) error {
	return redact(r.refresher.Refresh(ctx, open), r.secrets)
}

// A redactedError wraps an error and has its text without secrets.
type redactedError struct {
	text string
	err  error
}

func (e redactedError) Error() string { return e.text }

func (e redactedError) Unwrap() error { return e.err }

func redact(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	return redactedError{probes.Conceal(err.Error(), secrets...), err}
}
