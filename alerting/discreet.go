package alerting

import (
	"context"

	"stickwatch/probes"
)

// Discreet is a Notifier whose errors show none of the secrets by which its receiver
// is reached. A receiver may repeat what it was sent, and its errors go into the log,
// the outbox and the page.
func Discreet(n Notifier, secrets ...string) Notifier {
	d := discreet{n, secrets}
	finder, finds := n.(Finder)
	keeper, keeps := n.(Keeper)
	switch {
	case finds && keeps:
		return struct {
			discreet
			discreetFinder
			discreetKeeper
		}{d, discreetFinder{finder, secrets}, discreetKeeper{keeper, secrets}}
	case finds:
		return struct {
			discreet
			discreetFinder
		}{d, discreetFinder{finder, secrets}}
	case keeps:
		return struct {
			discreet
			discreetKeeper
		}{d, discreetKeeper{keeper, secrets}}
	default:
		return d
	}
}

type discreet struct {
	notifier Notifier
	secrets  []string
}

func (d discreet) Notify(ctx context.Context, n Notification) (DeliveryRef, error) {
	deliveryRef, err := d.notifier.Notify(ctx, n)
	return deliveryRef, conceal(err, d.secrets)
}

type discreetFinder struct {
	finder  Finder
	secrets []string
}

func (d discreetFinder) Find(ctx context.Context, n Notification) (DeliveryRef, bool, error) {
	deliveryRef, found, err := d.finder.Find(ctx, n)
	return deliveryRef, found, conceal(err, d.secrets)
}

type discreetKeeper struct {
	keeper  Keeper
	secrets []string
}

func (d discreetKeeper) Keep(ctx context.Context, open []Incident) error {
	return conceal(d.keeper.Keep(ctx, open), d.secrets)
}

// A concealedError has the text of another without secrets, and is of its kinds.
type concealedError struct {
	text string
	err  error
}

func (e concealedError) Error() string { return e.text }

func (e concealedError) Unwrap() error { return e.err }

func conceal(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	return concealedError{probes.Conceal(err.Error(), secrets...), err}
}
