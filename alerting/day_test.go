package alerting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// dayOf counts the notifications of 24 hours with rounds five seconds apart, in which
// active returns the findings of a round, and of an hour without findings. The manager
// decides at each tick what is due.
func dayOf(t *testing.T, tick time.Duration, active func(since time.Duration) string) map[NotificationKind]int {
	t.Helper()
	const length, quiet, round = 24 * time.Hour, time.Hour, 5 * time.Second
	r, counts, parsed := newRig(usual()), make(map[NotificationKind]int), make(map[string][]checks.Finding)
	for since := time.Duration(0); since < length+quiet; since += tick {
		at := noon.Add(since)
		var notifications []Notification
		switch {
		case since%round != 0:
			notifications = r.commit(r.manager.Tick(at))
		case since < length:
			line := active(since)
			if _, known := parsed[line]; !known {
				parsed[line] = findings(t, line)
			}
			notifications = r.see(at, "shop", parsed[line])
		default:
			notifications = r.see(at, "shop", nil)
		}
		for _, n := range notifications {
			counts[n.Kind]++
		}
	}
	if open := r.manager.Open(); len(open) != 0 {
		t.Errorf("got %d open incidents after an hour without findings", len(open))
	}
	return counts
}

// every returns a function that returns findings during the first part of each period.
func every(period, part time.Duration, active string) func(time.Duration) string {
	return func(since time.Duration) string {
		if since%period < part {
			return active
		}
		return ""
	}
}

// maxPerDay bounds the notifications about one finding in a day: flapTimes-1
// incidents an hour do not flap, and each causes two notifications.
const maxPerDay = 24 * 2 * (flapTimes - 1)

// TestDay specifies how many notifications a day of flapping causes.
func TestDay(t *testing.T) {
	const s, m = time.Second, time.Minute
	for name, tt := range map[string]struct {
		active func(time.Duration) string
		want   map[NotificationKind]int
	}{
		// Four incidents, then a flapping one, which fires at once, with reminders after 4 and 12 hours.
		"critical, 20 s of every minute": {every(m, 20*s, paused1), map[NotificationKind]int{NotificationFired: 5, NotificationReminder: 2, NotificationResolved: 5}},
		// The same, but the first four never fire, because they end within 30 s.
		"a warning, 20 s of every minute": {every(m, 20*s, down1), map[NotificationKind]int{NotificationFired: 1, NotificationReminder: 2, NotificationResolved: 1}},
		// One incident, because the finding returns within 30 s. Its news end with the event that it flaps.
		"critical, 5 s of every 10":  {every(10*s, 5*s, paused1), map[NotificationKind]int{NotificationFired: 1, NotificationDeveloped: 2, NotificationReminder: 2, NotificationResolved: 1}},
		"a warning, 5 s of every 10": {every(10*s, 5*s, down1), map[NotificationKind]int{NotificationFired: 1, NotificationReminder: 2, NotificationResolved: 1}},
		// A cause that flaps while its effect stays active: news four times each way, then the event that it flaps.
		"a cause that comes and goes, its effect stays": {
			func(since time.Duration) string {
				return every(2*m, m, redis+";"+paused1+byRedis)(since) + every(2*m, 2*m, ";"+paused2)(since)
			},
			map[NotificationKind]int{NotificationFired: 6, NotificationReminder: 4, NotificationResolved: 6},
		},
		// This does not flap: each appearance is an incident.
		"critical, a minute of every quarter of an hour and a bit": {
			every(15*m+30*s, m, paused1), map[NotificationKind]int{NotificationFired: 93, NotificationResolved: 93},
		},
		"for good": {every(m, m, paused1), map[NotificationKind]int{NotificationFired: 1, NotificationReminder: 2, NotificationResolved: 1}},
		"never":    {every(m, 0, paused1), map[NotificationKind]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect.Equal(t, "notifications", tt.want, dayOf(t, time.Second, tt.active))
		})
	}
}

// TestDayIsBounded: no finding that appears and disappears at regular intervals
// causes more than maxPerDay notifications in a day, and one causes as many.
func TestDayIsBounded(t *testing.T) {
	most := 0
	for _, period := range []time.Duration{
		10 * time.Second, 35 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 14 * time.Minute,
		15 * time.Minute, 15*time.Minute + 5*time.Second, 16 * time.Minute, 20 * time.Minute, 31 * time.Minute, time.Hour,
	} {
		for _, part := range []time.Duration{10, 2} {
			for _, active := range []string{paused1, down1} {
				notifications := 0
				for _, n := range dayOf(t, 5*time.Second, every(period, period/part, active)) {
					notifications += n
				}
				if most = max(most, notifications); notifications > maxPerDay {
					t.Errorf("%s for 1/%d of every %s: got %d notifications, want at most %d", active, part, period, notifications, maxPerDay)
				}
			}
		}
	}
	expect.Equal(t, "most notifications", maxPerDay, most)
}

// TestManyFlapAtOnce: flapping findings with one cause are one incident, whose
// notifications are bounded.
func TestManyFlapAtOnce(t *testing.T) {
	var nodes strings.Builder
	for n := range 10 {
		fmt.Fprintf(&nodes, ";critical node_paused/node%d%s", n, byRedis)
	}
	nodesAt := every(40*time.Second, 20*time.Second, nodes.String())
	got := dayOf(t, 5*time.Second, func(since time.Duration) string { return redis + nodesAt(since) })
	// News at most every 30 s until each finding has appeared five times, and reminders after 4 and 12 hours.
	want := map[NotificationKind]int{NotificationFired: 1, NotificationDeveloped: 5, NotificationReminder: 2, NotificationResolved: 1}
	expect.Equal(t, "notifications", want, got)
}
