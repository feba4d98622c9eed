package sim

import (
	"context"
	"errors"
	"sync"

	"stickwatch/internal/demo"
)

// A store is the session store of all nodes. It can fail.
type store struct {
	mu   sync.Mutex
	now  *demo.MemoryStore
	down bool
}

func newStore() *store { return &store{now: demo.NewStore()} }

var errStoreDown = errors.New("the session store does not answer")

// set sets whether the store is down.
func (s *store) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// flush deletes all sessions.
func (s *store) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = demo.NewStore()
}

func (s *store) memory() (*demo.MemoryStore, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errStoreDown
	}
	return s.now, nil
}

// Get implements demo.Store.
func (s *store) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	m, err := s.memory()
	if err != nil {
		return nil, false, err
	}
	return m.Get(ctx, id)
}

// Put implements demo.Store.
func (s *store) Put(ctx context.Context, id string, session demo.Session) error {
	m, err := s.memory()
	if err != nil {
		return err
	}
	return m.Put(ctx, id, session)
}
