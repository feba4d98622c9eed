package monitor

import (
	"context"
	"sync"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A visit is one request of each canary between two whole rounds.
type visit struct {
	*task // ends when every request has
	pairs []pair

	mu      sync.Mutex
	waiting map[*pooledCanary]bool
	answers map[*pooledCanary]probes.Exchange // that nobody has taken yet
}

// followUp lets every canary return once. Where an idle one is due, or a new client
// comes, it stands in for the canary of the same node.
func (f *canaryPool) followUp(ctx context.Context, pairs []pair) *visit {
	v := &visit{
		pairs: pairs, waiting: make(map[*pooledCanary]bool), answers: make(map[*pooledCanary]probes.Exchange),
	}
	relieved := make(map[slot]bool)
	due := f.dueIdle()
	for _, c := range due {
		relieved[c.slot], v.waiting[c.pooledCanary] = true, true
	}
	for _, two := range pairs {
		for _, b := range two {
			relieved[b.slot] = true
		}
	}
	var canaries []*pooledCanary
	for _, b := range f.canaries {
		if !relieved[b.slot] {
			canaries, v.waiting[b] = append(canaries, b), true
		}
	}
	v.task = begin(func() {
		var wg panics.Group
		for _, b := range canaries {
			wg.Go(func() { v.answered(b, b.Return(ctx)) })
		}
		for _, two := range pairs {
			wg.Go(func() { two.come(ctx, v.answered) })
		}
		wg.Go(func() { f.followUpIdle(ctx, due, v.answered) })
		wg.Wait()
	})
	return v
}

func (v *visit) answered(b *pooledCanary, ex probes.Exchange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.waiting, b)
	v.answers[b] = ex
}

// take returns the answers that came since the last call.
func (v *visit) take() map[*pooledCanary]probes.Exchange {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.answers
	v.answers = make(map[*pooledCanary]probes.Exchange)
	return taken
}

// newcomers are the walks of new clients.
func (v *visit) newClients() (list []probes.Trace) {
	for _, two := range v.pairs {
		for _, b := range two {
			if trace := b.Trace(); len(trace.Steps) > 0 {
				list = append(list, trace)
			}
		}
	}
	return list
}

// waitsFor reports whether a canary's request goes on. A nil visit waits for none.
func (v *visit) waitsFor(b *pooledCanary) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.waiting[b]
}
