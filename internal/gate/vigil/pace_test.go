package vigil

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		phase time.Duration
		visit func(start time.Duration) (took time.Duration, good bool)
		until time.Duration
		want  []time.Duration // when visits began
	}{
		{
			"by the starts", 10 * ms, func(time.Duration) (time.Duration, bool) { return 40 * ms, true }, 700 * ms,
			[]time.Duration{10 * ms, 260 * ms, 510 * ms},
		},
		{
			"a slow answer piles nothing up", 0,
			func(start time.Duration) (time.Duration, bool) {
				if start == 0 {
					return 600 * ms, true
				}
				return ms, true
			}, 900 * ms,
			[]time.Duration{0, 600 * ms, 850 * ms},
		},
		{
			"what fails is tried again soon", 0,
			func(start time.Duration) (time.Duration, bool) { return ms, start < 250*ms || start > 320*ms }, 600 * ms,
			[]time.Duration{0, 250 * ms, 275 * ms, 300 * ms, 325 * ms, 575 * ms},
		},
		{
			"a time-out, then at once", 0,
			func(start time.Duration) (time.Duration, bool) { return 500 * ms, start > 0 }, 800 * ms,
			[]time.Duration{0, 500 * ms},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithDeadline(t.Context(), began.Add(tt.until))
				defer cancel()
				var got []time.Duration
				pace(ctx, 250*ms, tt.phase, func() bool {
					start := time.Since(began)
					got = append(got, start)
					took, good := tt.visit(start)
					until(context.WithoutCancel(ctx), time.Now().Add(took))
					return good
				})
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("visits (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// After half a minute without a good answer there is no hurry any more.
func TestPaceOfALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		visits := 0
		pace(ctx, time.Second, 0, func() bool { visits++; return false })
		if least, most := 1480, 1520; visits < least || visits > most {
			t.Errorf("got %d visits in a minute of failures, want %d to %d", visits, least, most)
		}
	})
}
