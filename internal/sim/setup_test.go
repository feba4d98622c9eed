package sim

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestQuiet checks that a cluster without operations causes neither harm nor
// notification, behind every balancer and under every policy.
func TestQuiet(t *testing.T) {
	for i, one := range setups {
		t.Run(one.Name(), func(t *testing.T) {
			s := Schedule{Seed: uint64(i), Length: 6 * time.Minute, Setup: randomSetup(rand.New(rand.NewPCG(uint64(i), 0)), []Setup{one})}
			r := play(t, s)
			if harms := r.harms(); len(r.Notifications) > 0 || len(harms) > 0 || len(r.Requests) < 500 {
				t.Errorf("%d requests\n%s", len(r.Requests), r.Transcript())
			}
			for _, q := range r.Requests {
				if q.Outcome.Harmful() || q.Outcome == "unknown" || balancers[one.Balancer].sticky && q.Outcome == "moved" {
					t.Fatalf("got %+v, want it served", q)
				}
			}
		})
	}
}
