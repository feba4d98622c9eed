package monitor

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// met is an exchange with a machine, that failed or was answered.
func metOf(host string, failure probes.Failure) probes.Exchange {
	ex := probes.Exchange{At: time.Now(), Address: netip.AddrPortFrom(netip.MustParseAddr(host), 80), Failure: failure}
	if failure == "" {
		ex.Status = 200
	}
	return ex
}

// TestNobodyAnswersAnyMore: that all clusters fall silent at one time is no fault of
// theirs, unless they share a machine, are of this one, or somebody answers still.
func TestNobodyAnswersAnyMore(t *testing.T) {
	for _, tt := range []struct {
		name    string
		hosts   [3]string // of three clusters
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
					s.see(w, time.Now(), true, false, []netip.Addr{netip.MustParseAddr(tt.hosts[i])})
				}
				began := time.Now()
				for i, w := range clusters {
					time.Sleep(tt.apart)
					ex := metOf(tt.hosts[i], tt.answers[i])
					s.see(w, time.Now(), tt.answers[i] == "" || tt.answers[i] == probes.FailureRefused, ex.Failure != "", nil)
				}
				if _, _, got := s.since(began); got != tt.want {
					t.Errorf("got %t, want %t", got, tt.want)
				}
			})
		})
	}
}

// TestAClusterThatNeverAnswered says nothing of this machine.
func TestAClusterThatNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead, alive := NewSelfCheck(), new(Watcher), new(Watcher)
		began := time.Now()
		s.see(dead, began, false, true, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
		s.see(alive, began, true, false, []netip.Addr{netip.MustParseAddr("192.0.2.2")})
		s.see(alive, began, false, true, nil)
		if why, _, ok := s.since(began); ok {
			t.Errorf("got %q", why)
		}
	})
}

// TestWhatIsOfItsOwnMaking is heeded at once, believed when it lasts, and over when
// there is none any more.
func TestWhatIsOfItsOwnMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := NewSelfCheck(), new(Watcher)
		began := time.Now()
		once := metOf("192.0.2.1", probes.FailureProber)
		once.Error = "socket: too many open files"
		s.heed(w, began, []probes.Exchange{once})
		if why, _, ok := s.since(began); !ok || why.String() != "this machine cannot connect: socket: too many open files" {
			t.Errorf("got %q %t", why, ok)
		}
		if is := s.impairment(time.Now()); !is.Since.IsZero() {
			t.Error("one is an impairment already")
		}
		time.Sleep(believeAfter)
		s.heed(w, time.Now(), []probes.Exchange{once})
		if is := s.impairment(time.Now()); is.Since != began {
			t.Errorf("got %v, want it since %s", is, began)
		}
		time.Sleep(overAfter)
		if is := s.impairment(time.Now()); !is.Since.IsZero() {
			t.Error("it has no end")
		}
		if _, _, ok := s.since(time.Now()); ok {
			t.Error("it is heeded afterwards")
		}
	})
}

// TestClockJumped in either direction.
func TestClockJumped(t *testing.T) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for _, hours := range []time.Duration{-3, 0, 5} {
		if got := jumped(at, at.Add(hours*time.Hour+time.Second), time.Second); got != hours*time.Hour {
			t.Errorf("got %s, want %d h", got, hours)
		}
	}
	if got := checks.ClockJumped(3 * time.Hour).String(); got != "the clock of this machine was set by 3h0m0s" {
		t.Errorf("got %q", got)
	}
}
