package notify

import (
	"context"
	"sync"
	"time"
)

// A backoff is the time in which a receiver is to be left alone, because it asked
// for that or is ill. Whoever delivers to it heeds the same one.
type backoff struct {
	mu       sync.Mutex
	until    time.Time
	failures int // in a row, since the receiver last answered
}

// failed lets a pause last for longer after each failure in a row.
func (p *backoff) failed() {
	p.mu.Lock()
	p.failures++
	d := failureReason(p.failures)
	p.mu.Unlock()
	p.extend(d)
}

// answered ends the row.
func (p *backoff) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
}

// extend lets a pause last for so long from now on, if it would end before.
func (p *backoff) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

func (p *backoff) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// wait waits for the end, and reports whether it came before that of ctx.
func (p *backoff) wait(ctx context.Context) bool {
	for d := p.left(); d > 0 && ctx.Err() == nil; d = p.left() {
		sleep(ctx, d)
	}
	return ctx.Err() == nil
}

// sleep lets a time go by, whatever happens but the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
