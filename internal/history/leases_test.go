package history

import "testing"

// TestRefusedWithOldLease: a write that was refused with an older epoch does not end the lease that
// this instance has taken since.
func TestRefusedWithOldLease(t *testing.T) {
	l := &ownLeases{instance: "one", epochs: map[string]int64{"shop": 3, "wiki": 1}, stale: make(map[string]bool)}
	l.lose([]string{"shop", "wiki"}, map[string]int64{"shop": 2, "wiki": 1})
	if got := l.fence(map[string]bool{"shop": true, "wiki": true}); got["shop"] != 3 || got["wiki"] != 0 {
		t.Errorf("got epochs %v, want 3 of shop, and none of wiki", got)
	}
}
