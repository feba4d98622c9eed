package demo

import (
	"testing"
	"time"

	"stickwatch/internal/expect"
)

// epoch is a whole second, so that fractions in tests are exact.
var epoch = time.Unix(1_700_000_000, 0)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

func TestPeersEjectFromTheLastFailureOn(t *testing.T) {
	p := newPeers(2, 2, 10*time.Second)
	p.selected(0, at(0))
	p.failed(0, at(0))
	if p.ejected(0, at(0)) {
		t.Error("ejected after 1 failure of 2")
	}
	p.failed(0, at(3.9))
	got := map[float64]bool{}
	for _, s := range []float64{3.9, 4, 13.9, 14} {
		got[s] = p.ejected(0, at(s))
	}
	// fail_timeout counts from second 3 and includes second 13.
	want := map[float64]bool{3.9: true, 4: true, 13.9: true, 14: false}
	expect.Equal(t, "ejected", want, got)
	if p.ejected(1, at(4)) {
		t.Error("the other server is ejected, too")
	}
}

func TestPeersLetOneTrialThrough(t *testing.T) {
	p := newPeers(2, 1, 10*time.Second)
	p.failed(0, at(0))
	p.selected(0, at(11))
	if !p.ejected(0, at(11)) || !p.ejected(0, at(21)) {
		t.Error("a second request passes while the trial is on its way")
	}
	if p.ejected(0, at(22)) {
		t.Error("a trial that does not end keeps others out for longer than fail_timeout")
	}
	p.finished(0)
	if p.ejected(0, at(12)) {
		t.Error("still ejected after a trial that went well")
	}

	p.failed(0, at(30))
	p.selected(0, at(41))
	p.failed(0, at(41))
	if !p.ejected(0, at(51)) {
		t.Error("a trial that failed does not count")
	}
}

// TestPeersForgetOnlyAfterQuiet checks that max_fails is not a sliding window: a
// success counts only if it comes more than fail_timeout after the last failure.
func TestPeersForgetOnlyAfterQuiet(t *testing.T) {
	tests := []struct {
		name string
		gap  float64 // seconds between failures
		want float64 // time of the ejection; 0: never
	}{
		{"failures within fail_timeout of each other", 3, 12},
		{"a failure as soon as fail_timeout is over", 4, 16},
		{"quiet for longer than fail_timeout", 6, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ejection(newPeers(2, 5, 4*time.Second), tt.gap); got != tt.want {
				t.Errorf("ejected after %v s, want %v", got, tt.want)
			}
		})
	}
}

// ejection sends p a request every half second for two minutes, makes one fail every
// gap seconds, and returns when server 0 is ejected.
func ejection(p *peers, gap float64) float64 {
	next := 0.0
	for s := 0.0; s < 120; s += 0.5 {
		p.selected(0, at(s))
		if s == next {
			p.failed(0, at(s))
			next += gap
		} else {
			p.finished(0)
		}
		if p.ejected(0, at(s)) {
			return s
		}
	}
	return 0
}

func TestPeersThatAreNeverEjected(t *testing.T) {
	for name, p := range map[string]*peers{
		"a single server": newPeers(1, 1, 10*time.Second),
		"max_fails=0":     newPeers(2, 0, 10*time.Second),
	} {
		p.failed(0, at(0))
		if p.ejected(0, at(0)) {
			t.Errorf("%s: ejected", name)
		}
	}
}

func TestRoundRobinIsSmooth(t *testing.T) {
	w := newRoundRobin([]int{5, 1, 1})
	var got []int
	for range 7 {
		i, _ := w.next(func(int) bool { return true })
		got = append(got, i)
	}
	expect.Equal(t, "turns", []int{0, 0, 1, 0, 2, 0, 0}, got)
	if _, ok := w.next(func(int) bool { return false }); ok {
		t.Error("no server may be chosen, but one is")
	}
}
