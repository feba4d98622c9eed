package alerting

import "context"

// A Notifier takes notices to one receiver. Its errors are Retriable or
// Permanent; see Discreet.
type Notifier interface {
	Notify(context.Context, Notification) (DeliveryRef, error)
}

// A Finder is a Notifier that can look whether its receiver has a notice. It is
// asked before a notice is sent again, since the process may have ended between
// sending it and writing down that it was sent.
type Finder interface {
	Find(context.Context, Notification) (deliveryRef DeliveryRef, found bool, err error)
}

// A Keeper is a Notifier whose receiver forgets what it is not told again, as
// Alertmanager does: Keep repeats the incidents that go on.
type Keeper interface {
	Keep(context.Context, []Incident) error
}
