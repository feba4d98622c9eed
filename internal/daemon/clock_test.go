package daemon

import (
	"testing"
	"time"

	"stickwatch/alerting"
)

// TestSteadyClock: a clock that jumps by hours in either direction, and is put right within a
// day, changes nothing; one that differs for a day is right.
func TestSteadyClock(t *testing.T) {
	t.Parallel()
	c := newSteadyClock()
	began := c.base
	for _, tt := range []struct {
		elapsed, jump time.Duration // since the start; of the wall clock
		adopted       bool
	}{
		{time.Hour, time.Second, false},
		{2 * time.Hour, 5 * time.Hour, false},
		{20 * time.Hour, 5 * time.Hour, false},
		{21 * time.Hour, 0, false}, // put right
		{22 * time.Hour, -5 * time.Hour, false},
		{45 * time.Hour, -5 * time.Hour, false},
		{47 * time.Hour, -5 * time.Hour, true},
	} {
		moment := began.Add(tt.elapsed)
		if got := c.at(moment, moment.Round(0).Add(tt.jump)); got != moment {
			t.Errorf("after %s, with a jump of %s, got %s, want %s", tt.elapsed, tt.jump, got, moment)
		}
		if adopted := c.base != began; adopted != tt.adopted {
			t.Errorf("after %s, with a jump of %s, adopted the wall clock: %t", tt.elapsed, tt.jump, adopted)
		}
	}
}

// TestAnchor: times that were read from the history get a monotonic part, and keep it when
// the list is read again after the clock was set.
func TestAnchor(t *testing.T) {
	t.Parallel()
	m := monotonicTimes{clock: newSteadyClock()}
	read := alerting.Silence{ID: "1", From: time.Now().Round(0), To: time.Now().Round(0).Add(2 * time.Hour)}
	first := m.ofSilences([]alerting.Silence{read})[0]
	if first.To == first.To.Round(0) || !first.To.Equal(read.To) || first.From == first.From.Round(0) { //nolint:staticcheck // Equal ignores the monotonic part
		t.Errorf("got %s to %s, want the same times with a monotonic part", first.From, first.To)
	}
	again := m.ofSilences([]alerting.Silence{read, {ID: "2", From: read.From, To: read.To.Add(time.Hour)}})
	if again[0] != first {
		t.Errorf("got %+v, want the anchored times of before: %+v", again[0], first)
	}
	m.ofSilences(nil)
	m.ofSilences(nil)
	if len(m.known)+len(m.next) > 0 {
		t.Error("times of ended silences are kept")
	}
	d := m.ofDeployments([]alerting.Deployment{{From: read.From}})[0]
	if d.From == d.From.Round(0) || !d.To.IsZero() || !d.Summed.IsZero() { //nolint:staticcheck // Equal ignores the monotonic part
		t.Errorf("got %+v", d)
	}
}

// TestClockOfFleet: an instance whose wall clock is a minute off, and jumps, agrees with the database on
// when something was observed, and takes over what another instance has observed.
func TestClockOfFleet(t *testing.T) {
	t.Parallel()
	c := newSteadyClock()
	moment := time.Now()
	if got := c.shared(moment); got != moment {
		t.Errorf("without a fleet: got %s, want %s", got, moment)
	}
	database := moment.Round(0).Add(-time.Minute)
	c.follow(database, moment)
	for _, elapsed := range []time.Duration{0, time.Hour} {
		observed := c.shared(moment.Add(elapsed))
		if want := database.Add(elapsed); observed != want {
			t.Errorf("got %s, want the time of the database, %s", observed, want)
		}
		if again := c.shared(observed); again != observed {
			t.Errorf("got %s, want a time of the fleet unchanged", again)
		}
		if own := c.toLocal(observed); own.Sub(moment) != elapsed || c.toLocal(own) != own {
			t.Errorf("got %s as an own time, want %s later than %s", own, elapsed, moment)
		}
	}
	if got := c.ahead().Round(10 * time.Second); got != time.Minute {
		t.Errorf("got %s ahead, want 1m", got)
	}
	if !c.shared(time.Time{}).IsZero() || !c.toLocal(time.Time{}).IsZero() {
		t.Error("no time became one")
	}
}

// TestAnchorInFleet: times of a fleet are compared with its clock, which is not that of this machine.
func TestAnchorInFleet(t *testing.T) {
	t.Parallel()
	clock := newSteadyClock()
	clock.follow(time.Now().Round(0).Add(time.Hour), time.Now())
	m := monotonicTimes{clock: clock}
	read := alerting.Silence{ID: "1", From: clock.sharedNow(), To: clock.sharedNow().Add(time.Minute)}
	if got := m.ofSilences([]alerting.Silence{read})[0]; got != read {
		t.Errorf("got %+v, want %+v", got, read)
	}
}
