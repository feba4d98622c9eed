package monitor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// metOf returns an exchange with a host that failed or got a response.
func metOf(host string, failure probes.Failure) probes.Exchange {
	ex := probes.Exchange{At: time.Now(), Address: netip.AddrPortFrom(netip.MustParseAddr(host), 80), Failure: failure}
	if failure == "" {
		ex.Status = 200
	}
	return ex
}

// TestSilenceOfAllClusters: silence of all clusters at the same time is a fault of this
// machine, unless they share a host, are on loopback, or one of them still answers.
func TestSilenceOfAllClusters(t *testing.T) {
	for _, tt := range []struct {
		name    string
		hosts   [3]string // hosts of three clusters
		answers [3]probes.Failure
		apart   time.Duration
		want    bool
	}{
		{"all", [3]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, [3]probes.Failure{"timeout", "unreachable", "dns"}, time.Second, true},
		{"all but one", [3]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, [3]probes.Failure{"timeout", "timeout", ""}, time.Second, false},
		{"one refuses", [3]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, [3]probes.Failure{"timeout", "timeout", "refused"}, time.Second, false},
		{"one machine", [3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, [3]probes.Failure{"timeout", "timeout", "timeout"}, time.Second, false},
		{"this machine", [3]string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, [3]probes.Failure{"timeout", "timeout", "timeout"}, time.Second, false},
		{"one after the other", [3]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, [3]probes.Failure{"timeout", "timeout", "timeout"}, time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, clusters := NewSelfCheck(), [3]*Watcher{{}, {}, {}}
				for i, w := range clusters {
					s.recordAnswers(w, time.Now(), true, false, map[netip.Addr]bool{netip.MustParseAddr(tt.hosts[i]): true})
				}
				began := time.Now()
				for i, w := range clusters {
					time.Sleep(tt.apart)
					ex := metOf(tt.hosts[i], tt.answers[i])
					s.recordAnswers(w, time.Now(), tt.answers[i] == "" || tt.answers[i] == probes.FailureRefused, ex.Failure != "", nil)
				}
				if _, _, got := s.since(began); got != tt.want {
					t.Errorf("got %t, want %t", got, tt.want)
				}
			})
		})
	}
}

// TestClusterThatNeverAnswered: such a cluster is no evidence about this machine.
func TestClusterThatNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead, alive := NewSelfCheck(), new(Watcher), new(Watcher)
		began := time.Now()
		s.recordAnswers(dead, began, false, true, map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true})
		s.recordAnswers(alive, began, true, false, map[netip.Addr]bool{netip.MustParseAddr("192.0.2.2"): true})
		s.recordAnswers(alive, began, false, true, nil)
		if why, _, ok := s.since(began); ok {
			t.Errorf("got %q", why)
		}
	})
}

// TestNoRoute: that the route to a host has gone is evidence, until the host is no longer probed.
func TestNoRoute(t *testing.T) {
	for name, leave := range map[string]func(*Watcher){
		"probed": nil, "its cluster has other nodes": func(w *Watcher) { w.adopt(&probes.Cluster{}) }, "its cluster has ended": func(w *Watcher) { _ = w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, gone := NewSelfCheck(), netip.MustParseAddr("192.0.2.1")
				w := NewWatcher(&probes.Cluster{Limiter: probes.NewLimiter(probes.Budget{}, nil)}, &Prober{Self: s}, nil, Intervals{})
				s.observe(w, time.Now(), slices.Values([]probes.Exchange{metOf(gone.String(), "")}))
				s.route = func(host netip.Addr, _ map[netip.Addr]net.Interface) error {
					if host == gone {
						return errors.New("no route to host")
					}
					return nil
				}
				if leave != nil {
					leave(w)
				}
				s.checkRoutes()
				if why, _, got := s.since(time.Now()); got != (leave == nil) {
					t.Errorf("got %t: %s", got, why)
				}
			})
		})
	}
}

// TestLocalErrors: local errors are evidence at once, confirmed when they last, and
// cleared when they end.
func TestLocalErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := NewSelfCheck(), new(Watcher)
		began := time.Now()
		once := metOf("192.0.2.1", probes.FailureProber)
		once.Error = "socket: too many open files"
		s.observe(w, began, slices.Values([]probes.Exchange{once}))
		if why, _, ok := s.since(began); !ok || why.String() != "this machine cannot connect: socket: too many open files" {
			t.Errorf("got %q %t", why, ok)
		}
		if is := s.impairment(time.Now()); !is.Since.IsZero() {
			t.Error("one is an impairment already")
		}
		time.Sleep(confirmAfter)
		s.observe(w, time.Now(), slices.Values([]probes.Exchange{once}))
		if is := s.impairment(time.Now()); is.Since != began {
			t.Errorf("got %v, want it since %s", is, began)
		}
		time.Sleep(clearAfter)
		if is := s.impairment(time.Now()); !is.Since.IsZero() {
			t.Error("it has no end")
		}
		if _, _, ok := s.since(time.Now()); ok {
			t.Error("the evidence still counts afterwards")
		}
	})
}

// TestClockIsSet: results of probes from before the clock was set, in either direction, are
// not judged; those after it are, and it is no impairment.
func TestClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{-5 * time.Hour, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var set atomic.Int64
			s := NewSelfCheck()
			s.wall = func() time.Time { return time.Now().Round(0).Add(time.Duration(set.Load())) }
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { s.Run(ctx, func(is Impairment) { t.Errorf("got the impairment %v", is) }) })
			began := time.Now()
			time.Sleep(10 * time.Second)
			if why, _, ok := s.since(began); ok {
				t.Errorf("got %q before the jump", why)
			}
			set.Store(int64(jump))
			time.Sleep(2 * time.Second)
			if why, _, ok := s.since(began); !ok || why.ID != checks.MsgClockJumped {
				t.Errorf("got %q, want that the clock was set", why)
			}
			after := time.Now()
			time.Sleep(time.Minute)
			if why, _, ok := s.since(after); ok {
				t.Errorf("got %q after the jump", why)
			}
			cancel()
			running.Wait()
		})
	}
}

// TestClockJumped checks jumps in both directions.
func TestClockJumped(t *testing.T) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for _, hours := range []time.Duration{-3, 0, 5} {
		if got := clockJumpOf(at, at.Add(hours*time.Hour+time.Second), time.Second); got != hours*time.Hour {
			t.Errorf("got %s, want %d h", got, hours)
		}
	}
	if got := checks.ClockJumped(3 * time.Hour).String(); got != "the clock of this machine was set by 3h0m0s" {
		t.Errorf("got %q", got)
	}
}
