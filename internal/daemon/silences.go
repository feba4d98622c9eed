package daemon

import (
	"context"
	"sync"
	"time"

	"stickwatch/alerting"
)

// silences takes those that the history has to those who heed them.
type silences struct {
	read func(context.Context, time.Time) ([]alerting.Silence, error)
	heed func([]alerting.Silence)

	mu sync.Mutex // from reading to heeding, lest an older list be heeded last
}

// refresh has the silences of the history heeded. They are written by now, so
// that whoever wanted that may have gone.
func (s *silences) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.read(context.WithoutCancel(ctx), time.Now())
	if err != nil {
		return err
	}
	s.heed(list)
	return nil
}
