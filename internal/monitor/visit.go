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
	waiting map[*bird]bool
	answers map[*bird]probes.Exchange // that nobody has taken yet
}

// visit lets every canary return once. Where an idle one is due, or a new client
// comes, it stands in for the canary of the same node.
func (f *flock) visit(ctx context.Context, pairs []pair) *visit {
	v := &visit{
		pairs: pairs, waiting: make(map[*bird]bool), answers: make(map[*bird]probes.Exchange),
	}
	relieved := make(map[perch]bool)
	due := f.due()
	for _, c := range due {
		relieved[c.perch], v.waiting[c.bird] = true, true
	}
	for _, two := range pairs {
		for _, b := range two {
			relieved[b.perch] = true
		}
	}
	var canaries []*bird
	for _, b := range f.birds {
		if !relieved[b.perch] {
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
		wg.Go(func() { f.wake(ctx, due, v.answered) })
		wg.Wait()
	})
	return v
}

func (v *visit) answered(b *bird, ex probes.Exchange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.waiting, b)
	v.answers[b] = ex
}

// take returns the answers that came since the last call.
func (v *visit) take() map[*bird]probes.Exchange {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.answers
	v.answers = make(map[*bird]probes.Exchange)
	return taken
}

// newcomers are the walks of new clients.
func (v *visit) newcomers() (list []probes.Walk) {
	for _, two := range v.pairs {
		for _, b := range two {
			if walk := b.Walk(); len(walk.Steps) > 0 {
				list = append(list, walk)
			}
		}
	}
	return list
}

// waitsFor reports whether a canary's request goes on. A nil visit waits for none.
func (v *visit) waitsFor(b *bird) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.waiting[b]
}
