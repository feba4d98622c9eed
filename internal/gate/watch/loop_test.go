package watch

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/gate"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// TestLoopWithinBudget checks that clients which retry at a node that is down share its
// budget, and that the bounds of the outage are the times at which requests were sent.
func TestLoopWithinBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		const down, up = 2 * time.Second, 10 * time.Second
		cluster := &probes.Cluster{Nodes: []probes.Node{{ID: "node1", URL: &url.URL{Scheme: "http", Host: "node1"}}}}
		cluster.Limit(probes.DefaultBudget)
		ctx, cancel := context.WithDeadline(t.Context(), began.Add(20*time.Second))
		defer cancel()
		var sent []time.Time
		var timeline gate.Timeline // timeline of the first client
		var running sync.WaitGroup
		for i := range 3 {
			client := probes.NewClient(cluster.NodeTarget(cluster.Nodes[0]))
			sample := func() bool {
				var s gate.Sample
				_ = client.Admit(ctx, probes.RequestSequence{Path: "/"}, func() bool { // fails only at the end of the test
					s.At, s.Took = time.Now(), time.Millisecond
					sent = append(sent, s.At)
					after := s.At.Sub(began)
					s.Good = after < down || after >= up
					return !sleep.Until(ctx, s.At.Add(s.Took))
				})
				if i == 0 && !s.At.IsZero() {
					timeline.Add(s)
				}
				return s.Good
			}
			running.Go(func() { loop(ctx, 250*time.Millisecond, time.Duration(i)*80*time.Millisecond, sample) })
		}
		running.Wait()
		for i, from := range sent {
			within := slices.IndexFunc(sent[i:], func(at time.Time) bool { return !at.Before(from.Add(time.Second)) })
			if most := 20 + probes.DefaultBudget.Burst(); within > most {
				t.Fatalf("got %d requests in the second after %s, want at most %d", within, from.Sub(began), most)
			}
		}
		if len(timeline) != 3 {
			t.Fatalf("got %d stretches, want good, bad, good: %+v", len(timeline), timeline)
		}
		o := gate.Outage{LastGood: timeline[0].Last.Done(), FirstBad: timeline[1].First.At, LastBad: timeline[1].Last.Done(), FirstGood: timeline[2].First.Done()}
		if truth := up - down; o.AtLeast() > truth || o.AtMost() < truth || o.AtMost()-o.AtLeast() > 500*time.Millisecond {
			t.Errorf("got an outage of %s to %s, want bounds around %s", o.AtLeast(), o.AtMost(), truth)
		}
	})
}

func TestLoop(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name       string
		phase      time.Duration
		sample     func(start time.Duration) (took time.Duration, good bool)
		sleepUntil time.Duration
		want       []time.Duration // start times of samples
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
				ctx, cancel := context.WithDeadline(t.Context(), began.Add(tt.sleepUntil))
				defer cancel()
				var got []time.Duration
				loop(ctx, 250*ms, tt.phase, func() bool {
					start := time.Since(began)
					got = append(got, start)
					took, good := tt.sample(start)
					sleep.For(context.WithoutCancel(ctx), took)
					return good
				})
				expect.Equal(t, "visits", tt.want, got)
			})
		})
	}
}

// TestLoopOfALongOutage checks that retries are slower after half a minute of failures.
func TestLoopOfALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		clientSamples := 0
		loop(ctx, time.Second, 0, func() bool { clientSamples++; return false })
		if least, most := 1480, 1520; clientSamples < least || clientSamples > most {
			t.Errorf("got %d visits in a minute of failures, want %d to %d", clientSamples, least, most)
		}
	})
}

// TestSchedule checks that only the requests of a user at the interval count, however
// often a client retries.
func TestSchedule(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name          string
		interval      time.Duration
		lasts         time.Duration
		bad           func(since time.Duration) bool
		count, failed int
	}{
		{"all is well", 250 * ms, 2 * time.Second, func(time.Duration) bool { return false }, 8, 0},
		{"a moment", 250 * ms, 2 * time.Second, func(at time.Duration) bool { return at >= 500*ms && at < 600*ms }, 8, 1},
		{"a second", 250 * ms, 4 * time.Second, func(at time.Duration) bool { return at >= time.Second && at < 2*time.Second }, 16, 4},
		{"a minute, also when retries come less often", 250 * ms, time.Minute, func(time.Duration) bool { return true }, 240, 240},
		{"retries are no quicker than the interval", 20 * ms, time.Second, func(time.Duration) bool { return true }, 50, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.lasts-ms)
				defer cancel()
				s := schedule{interval: tt.interval}
				count, failed := 0, 0
				loop(ctx, tt.interval, 0, func() bool {
					now := time.Now()
					bad := tt.bad(now.Sub(began))
					if !s.retry(now) {
						count++
						if bad {
							failed++
						}
					}
					s.failing = bad
					return !bad
				})
				expect.Equal(t, "requests and failures", [2]int{tt.count, tt.failed}, [2]int{count, failed})
			})
		})
	}
}
