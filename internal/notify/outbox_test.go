package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
)

// A memory is an Outbox that forgets nothing while the test lasts: what a history
// is on its disk.
type memory struct {
	mu      sync.Mutex
	letters []*entry
	broken  func() error // asked before everything; nil: it never is
}

// A entry is a notice with what became of it.
type entry struct {
	notification alerting.Notification
	due          time.Time
	leased       time.Time
	attempts     int
	state        entryState
	reasons      []string
	deliveryRef  alerting.DeliveryRef
}

type entryState string

const (
	waiting entryState = "waiting"
	arrived entryState = "arrived"
	dead    entryState = "dead"

	passedOver entryState = "passed over"
)

var _ Outbox = (*memory)(nil)

func (m *memory) put(notifications ...alerting.Notification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range notifications {
		if m.find(n.ID) == nil {
			m.letters = append(m.letters, &entry{notification: n, due: n.At, state: waiting})
		}
	}
}

func (m *memory) find(id string) *entry {
	at := slices.IndexFunc(m.letters, func(l *entry) bool { return l.notification.ID == id })
	if at < 0 {
		return nil
	}
	return m.letters[at]
}

func (m *memory) Claim(_ context.Context, receiver string, now time.Time, lease time.Duration) (alerting.Notification, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(); err != nil {
		return alerting.Notification{}, false, err
	}
	begun := make(map[string]bool) // incidents of which an earlier notice waits
	var first *entry
	for _, l := range m.letters {
		if l.notification.Receiver != receiver || l.state != waiting || begun[l.notification.Incident.ID] {
			continue
		}
		begun[l.notification.Incident.ID] = true
		if !now.Before(l.due) && !now.Before(l.leased) && (first == nil || l.due.Before(first.due)) {
			first = l
		}
	}
	if first == nil {
		return alerting.Notification{}, false, nil
	}
	first.attempts++
	first.leased = now.Add(lease)
	n := first.notification
	n.Attempts, n.Thread = first.attempts, m.thread(n)
	return n, true, nil
}

// thread is where the receiver keeps the incident.
func (m *memory) thread(n alerting.Notification) string {
	var thread string
	for _, l := range m.letters {
		if l.notification.Receiver == n.Receiver && l.notification.Incident.ID == n.Incident.ID && l.deliveryRef.Thread != "" {
			thread = l.deliveryRef.Thread
		}
	}
	return thread
}

func (m *memory) Delivered(_ context.Context, id string, r alerting.DeliveryRef) error {
	return m.change(id, func(l *entry) { l.state, l.deliveryRef = arrived, r })
}

func (m *memory) Retry(_ context.Context, id string, at time.Time, reason string) error {
	return m.change(id, func(l *entry) { l.due, l.leased, l.reasons = at, time.Time{}, append(l.reasons, reason) })
}

func (m *memory) SkipToEnd(_ context.Context, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(); err != nil {
		return false, err
	}
	of := m.find(id).notification
	waits := func(l *entry) bool {
		return l.state == waiting && l.notification.Receiver == of.Receiver && l.notification.Incident.ID == of.Incident.ID
	}
	end := slices.IndexFunc(m.letters, func(l *entry) bool { return waits(l) && l.notification.Kind == alerting.NotificationResolved })
	for _, l := range m.letters[:max(end, 0)] {
		if waits(l) {
			l.state = passedOver
		}
	}
	return end >= 0, nil
}

func (m *memory) DeadLetter(_ context.Context, id, reason string) error {
	return m.change(id, func(l *entry) { l.state, l.reasons = dead, append(l.reasons, reason) })
}

func (m *memory) change(id string, write func(*entry)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(); err != nil {
		return err
	}
	l := m.find(id)
	if l == nil || l.state != waiting {
		return errors.New("no such notice waits")
	}
	write(l)
	return nil
}

func (m *memory) ready() error {
	if m.broken == nil {
		return nil
	}
	return m.broken()
}

// states are what became of every notice, by ID.
func (m *memory) states() map[string]entryState {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := make(map[string]entryState)
	for _, l := range m.letters {
		states[l.notification.ID] = l.state
	}
	return states
}

// A channel is a receiver's side: what has been posted in it.
type channel struct {
	mu     sync.Mutex
	posted []post
	answer func(ctx context.Context, n alerting.Notification) error // asked before a notice is posted; nil: it always is
	lost   func(n alerting.Notification) error                      // asked after: an answer that never comes
}

type post struct {
	id    string
	after time.Duration // since the notice was written
}

func (c *channel) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	if c.answer != nil {
		if err := c.answer(ctx, n); err != nil {
			return alerting.DeliveryRef{}, err
		}
	}
	c.mu.Lock()
	c.posted = append(c.posted, post{n.ID, time.Since(n.At)})
	c.mu.Unlock()
	if c.lost != nil {
		if err := c.lost(n); err != nil {
			return alerting.DeliveryRef{}, err
		}
	}
	return alerting.DeliveryRef{Thread: "thread of " + n.Incident.ID}, nil
}

func (c *channel) posts() []post {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.posted)
}

func (c *channel) ids() []string {
	var ids []string
	for _, p := range c.posts() {
		ids = append(ids, p.id)
	}
	return ids
}

// A searchable channel can tell what has been posted in it.
type searchable struct {
	*channel
	failing func(n alerting.Notification) error // asked before looking; nil: it can be looked for
}

func (s searchable) Find(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	if s.failing != nil {
		if err := s.failing(n); err != nil {
			return alerting.DeliveryRef{}, false, err
		}
	}
	return alerting.DeliveryRef{Thread: "thread of " + n.Incident.ID}, slices.Contains(s.ids(), n.ID), nil
}
