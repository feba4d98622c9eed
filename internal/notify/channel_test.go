package notify

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
)

// A channel is a receiver that records what was posted.
type channel struct {
	mu     sync.Mutex
	posted []post
	answer func(ctx context.Context, n alerting.Notification) error // asked before a notification is posted; nil: it always is
	lost   func(n alerting.Notification) error                      // asked after: an answer that never comes
}

type post struct {
	id    string
	after time.Duration // since the notification was written
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

// A searchable channel implements alerting.Finder.
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
