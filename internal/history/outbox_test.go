package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

const lease = time.Minute

// kept ignores the unexported fields of a finding, which are not stored.
var kept = cmpopts.IgnoreUnexported(checks.Finding{})

func incident(id string) alerting.Incident {
	return alerting.Incident{
		ID: id, Cluster: "shop", State: alerting.Firing, Severity: checks.Critical, Started: testTime,
		Cause:    checks.Finding{Code: checks.DependencyDown, Dependency: "Redis Server", Summary: checks.Quote("Redis 不可用")},
		Timeline: []alerting.Event{{At: testTime, Text: "first sight"}},
	}
}

func notification(id, receiver, incidentID string) alerting.Notification {
	return alerting.Notification{ID: id, Receiver: receiver, Kind: alerting.NotificationFired, At: testTime, Incident: incident(incidentID)}
}

func commit(t *testing.T, db *DB, notifications ...alerting.Notification) {
	t.Helper()
	s := WriteSet{Decision: alerting.Decision{Notifications: notifications}}
	for _, n := range notifications {
		s.Incidents = append(s.Incidents, n.Incident)
	}
	must.Succeed(t, db.Commit(t.Context(), s))
}

// claimed claims a notification.
func claimed(t *testing.T, db *DB, receiver string, at time.Time) alerting.Notification {
	t.Helper()
	n, ok, err := db.Claim(t.Context(), receiver, at, lease)
	must.Succeed(t, err)
	if ok != (n.ID != "") {
		t.Fatalf("got ok %v with notification %q", ok, n.ID)
	}
	return n
}

func TestClaim(t *testing.T) {
	// Every step claims for the receiver ops after an operation on an earlier claim.
	type step struct {
		do   func(*DB) error
		at   time.Duration
		want string
	}
	deliver := func(id string) func(*DB) error {
		return func(db *DB) error { return db.Delivered(t.Context(), id, alerting.DeliveryRef{}) }
	}
	retry := func(id string, at time.Duration) func(*DB) error {
		return func(db *DB) error { return db.Retry(t.Context(), id, testTime.Add(at), "503") }
	}
	bury := func(id string) func(*DB) error {
		return func(db *DB) error { return db.DeadLetter(t.Context(), id, "no such channel") }
	}
	for name, tt := range map[string]struct {
		outbox []alerting.Notification
		steps  []step
	}{
		"the oldest first": {
			[]alerting.Notification{notification("a1", "ops", "a"), notification("b1", "ops", "b")},
			[]step{{nil, 0, "a1"}, {nil, 0, "b1"}, {nil, 0, ""}},
		},
		"in order within an incident, other incidents do not wait": {
			[]alerting.Notification{notification("a1", "ops", "a"), notification("a2", "ops", "a"), notification("b1", "ops", "b")},
			[]step{{nil, 0, "a1"}, {nil, 0, "b1"}, {nil, 0, ""}, {deliver("a1"), 0, "a2"}, {nil, 0, ""}},
		},
		"other receivers are of no concern": {
			[]alerting.Notification{notification("a1", "pager", "a"), notification("a2", "ops", "a")},
			[]step{{nil, 0, "a2"}, {nil, 0, ""}},
		},
		"a lease ends": {
			[]alerting.Notification{notification("a1", "ops", "a")},
			[]step{{nil, 0, "a1"}, {nil, lease - time.Second, ""}, {nil, lease, "a1"}},
		},
		"a retry waits, and so do its followers": {
			[]alerting.Notification{notification("a1", "ops", "a"), notification("a2", "ops", "a")},
			[]step{{nil, 0, "a1"}, {retry("a1", 5*time.Second), 4 * time.Second, ""}, {nil, 5 * time.Second, "a1"}},
		},
		"a retry lets the others pass": {
			[]alerting.Notification{notification("a1", "ops", "a"), notification("b1", "ops", "b"), notification("c1", "ops", "c")},
			[]step{{nil, 0, "a1"}, {retry("a1", time.Second), 2 * time.Second, "b1"}, {nil, 2 * time.Second, "c1"}, {nil, 2 * time.Second, "a1"}},
		},
		"what comes later of an incident waits with it": {
			[]alerting.Notification{notification("a1", "ops", "a")},
			[]step{
				{nil, 0, "a1"},
				{retry("a1", time.Minute), 0, ""},
				{func(db *DB) error { commit(t, db, notification("a2", "ops", "a")); return nil }, time.Minute, "a1"},
				{deliver("a1"), time.Minute, "a2"},
			},
		},
		"a dead letter lets its followers pass": {
			[]alerting.Notification{notification("a1", "ops", "a"), notification("a2", "ops", "a")},
			[]step{{nil, 0, "a1"}, {bury("a1"), 0, "a2"}, {deliver("a2"), 0, ""}},
		},
		"what is delivered stays delivered": {
			[]alerting.Notification{notification("a1", "ops", "a")},
			[]step{{nil, 0, "a1"}, {deliver("a1"), 0, ""}, {retry("a1", 0), 0, ""}, {bury("a1"), 0, ""}, {deliver("unknown"), 0, ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := opened(t)
			commit(t, db, tt.outbox...)
			for i, s := range tt.steps {
				if s.do != nil {
					must.Succeed(t, s.do(db))
				}
				if got := claimed(t, db, "ops", testTime.Add(s.at)); got.ID != s.want {
					t.Errorf("step %d: got %q, want %q", i, got.ID, s.want)
				}
			}
		})
	}
}

// TestClaimsAfterCrash: a new process waits for the attempt of a dead one to arrive, but not
// for its full lease.
func TestClaimsAfterCrash(t *testing.T) {
	path := place(t)
	open := func() *DB {
		db, err := Open(t.Context(), Config{Path: path, Now: func() time.Time { return testTime }})
		must.Succeed(t, err)
		return db
	}
	db := open()
	commit(t, db, notification("a1", "ops", "a"))
	claimed(t, db, "ops", testTime)
	must.Succeed(t, db.Close(t.Context()))
	db = open()
	defer db.Close(t.Context())
	if got := claimed(t, db, "ops", testTime.Add(inFlightGrace-time.Second)); got.ID != "" {
		t.Errorf("got %q before it can have arrived", got.ID)
	}
	if got := claimed(t, db, "ops", testTime.Add(inFlightGrace)); got.ID != "a1" {
		t.Errorf("got %q, want a1", got.ID)
	}
}

func TestClaimAttemptsAndThread(t *testing.T) {
	db := opened(t)
	commit(t, db, notification("a1", "ops", "a"), notification("a2", "ops", "a"), notification("a3", "pager", "a"))
	want := notification("a1", "ops", "a")
	want.Attempts = 1
	expect.Equal(t, "first attempt", want, claimed(t, db, "ops", testTime), kept)
	if got := claimed(t, db, "ops", testTime.Add(lease)); got.Attempts != 2 {
		t.Errorf("got %d attempts, want 2", got.Attempts)
	}
	must.Succeed(t, db.Delivered(t.Context(), "a1", alerting.DeliveryRef{Thread: "C1/1700000000.000100"}))
	if got := claimed(t, db, "ops", testTime); got.Thread != "C1/1700000000.000100" || got.Attempts != 1 {
		t.Errorf("got thread %q and %d attempts, want that of the first receipt and 1", got.Thread, got.Attempts)
	}
	if got := claimed(t, db, "pager", testTime); got.Thread != "" {
		t.Errorf("got thread %q, which is another receiver's", got.Thread)
	}
}

// TestNotificationIsQueuedOnce: committing a write set again does not duplicate its notifications.
func TestNotificationIsQueuedOnce(t *testing.T) {
	db := opened(t)
	commit(t, db, notification("a1", "ops", "a"))
	must.Succeed(t, db.Delivered(t.Context(), "a1", alerting.DeliveryRef{}))
	commit(t, db, notification("a1", "ops", "a"), notification("a2", "pager", "a"))
	got, err := db.Pending(t.Context())
	must.Succeed(t, err)
	expect.Equal(t, "pending", map[string]int{"pager": 1}, got)
}

// TestDeliveredBeforeItWasWritten: a notification that was delivered while the disk was full
// is not sent again, and its attempts are stored.
func TestDeliveredBeforeItWasWritten(t *testing.T) {
	db := opened(t)
	tried := notification("b1", "ops", "b")
	tried.Attempts = 1
	must.Succeed(t, db.Commit(t.Context(), WriteSet{
		Decision:  alerting.Decision{Notifications: []alerting.Notification{notification("a1", "ops", "a"), tried}},
		Delivered: map[string]alerting.DeliveryRef{"a1": {Thread: "C1/1"}},
	}))
	if got := claimed(t, db, "ops", testTime); got.ID != "b1" || got.Attempts != 2 {
		t.Errorf("got %q, attempt %d, want b1 for the second time", got.ID, got.Attempts)
	}
	known, err := db.ThreadState(t.Context(), "ops", []string{"a", "b", "c"})
	must.Succeed(t, err)
	expect.Equal(t, "known", map[string]ThreadState{"a": {Thread: "C1/1"}, "b": {Waits: true}}, known)
}

func TestDeadLetters(t *testing.T) {
	db := opened(t)
	commit(t, db, notification("a1", "ops", "a"))
	claimed(t, db, "ops", testTime)
	must.Succeed(t, db.DeadLetter(t.Context(), "a1", "channel_not_found\x1b[31m"))
	got, err := db.DeadLetters(t.Context(), 0)
	must.Succeed(t, err)
	want := []DeadLetter{{Notification: notification("a1", "ops", "a"), Reason: "channel_not_found[31m"}}
	want[0].Attempts = 1
	expect.Equal(t, "dead letters", want, got, kept)
}

// TestSkipToResolved: only the last notification of a resolved incident stays.
func TestSkipToResolved(t *testing.T) {
	kind := func(n alerting.Notification, kind alerting.NotificationKind) alerting.Notification {
		n.Kind = kind
		return n
	}
	first, news := notification("a1", "ops", "a"), kind(notification("a2", "ops", "a"), alerting.NotificationDeveloped)
	end := kind(notification("a3", "ops", "a"), alerting.NotificationResolved)
	others := []alerting.Notification{notification("b1", "ops", "b"), notification("a4", "pager", "a")}
	for name, tt := range map[string]struct {
		outbox  []alerting.Notification
		skip    string
		skipped bool
		want    string // notification that is claimed next
	}{
		"it goes on":              {[]alerting.Notification{first, news}, "a1", false, "a1"},
		"it is over":              {[]alerting.Notification{first, news, end}, "a1", true, "a3"},
		"it is the end":           {[]alerting.Notification{end}, "a3", false, "a3"},
		"there is no such one":    {[]alerting.Notification{first, end}, "z", false, "a1"},
		"others' ends matter not": {[]alerting.Notification{first, kind(notification("b9", "ops", "b"), alerting.NotificationResolved)}, "a1", false, "a1"},
	} {
		t.Run(name, func(t *testing.T) {
			db := opened(t)
			commit(t, db, append(tt.outbox, others...)...)
			skipped, err := db.SkipToResolved(t.Context(), tt.skip)
			if err != nil || skipped != tt.skipped {
				t.Errorf("got skipped %v and error %v, want %v", skipped, err, tt.skipped)
			}
			if got := claimed(t, db, "ops", testTime); got.ID != tt.want {
				t.Errorf("got %q, want %q", got.ID, tt.want)
			}
			if got := claimed(t, db, "pager", testTime); got.ID != "a4" {
				t.Errorf("got %q for another receiver, want %q", got.ID, "a4")
			}
		})
	}
	db := opened(t)
	commit(t, db, first, news, end)
	claimed(t, db, "ops", testTime)
	if _, err := db.SkipToResolved(t.Context(), "a1"); err != nil {
		t.Fatal(err)
	}
	commit(t, db, first, news)
	if got, err := db.Pending(t.Context()); err != nil || got["ops"] != 1 {
		t.Errorf("got %v waiting and error %v, want the end alone", got, err)
	}
}

// TestClaimSkipsUndue: searching for a due notification does not read or sort
// the ones that are not due.
func TestClaimSkipsUndue(t *testing.T) {
	db := opened(t)
	for name, tt := range map[string]struct {
		query string
		args  []any
		want  []string
	}{
		"a claim": {selectClaimable, []any{"ops", 0, 0}, []string{
			"SEARCH n USING INDEX notices_waiting (receiver=? AND due<?)",
			"CORRELATED SCALAR SUBQUERY 1",
			"SEARCH p USING INDEX notices_of_incident (receiver=? AND incident=? AND seq<?)",
		}},
		"counting":     {countPending, nil, []string{"SCAN notices USING COVERING INDEX notices_waiting"}},
		"dead letters": {selectDead, []any{10}, []string{"SCAN notices USING INDEX notices_dead"}},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "plan", tt.want, planOf(t, db, tt.query, tt.args...))
		})
	}
	commit(t, db, notification("a1", "ops", "a"), notification("a2", "ops", "a"))
	claimed(t, db, "ops", testTime)
	must.Succeed(t, db.Retry(t.Context(), "a1", testTime.Add(time.Minute), "503"))
	commit(t, db, notification("a3", "ops", "a"))
	var due int
	const count = "SELECT COUNT(*) FROM notices WHERE due <= ?"
	if err := db.pool.QueryRowContext(t.Context(), count, testTime.UnixMilli()).Scan(&due); err != nil || due > 0 {
		t.Errorf("got %d notices to look at and error %v, want none that waits for another", due, err)
	}
}

// planOf returns the query plan of SQLite.
func planOf(t *testing.T, db *DB, query string, args ...any) (steps []string) {
	t.Helper()
	rows, err := db.pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	must.Succeed(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		must.Succeed(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	must.Succeed(t, rows.Err())
	return steps
}

// TestClaimAfterClockWasSet: a notification whose time is hours ahead, because the clock was
// set, is due at once; one that was postponed before the clock was set back is due after a
// restart.
func TestClaimAfterClockWasSet(t *testing.T) {
	path := place(t)
	start := func() *DB {
		db, err := Open(t.Context(), Config{Path: path, Now: func() time.Time { return testTime }})
		must.Succeed(t, err)
		return db
	}
	db := start()
	ahead := notification("1/ops/1", "ops", "1")
	ahead.At = testTime.Add(5 * time.Hour)
	commit(t, db, ahead)
	if got := claimed(t, db, "ops", testTime); got.ID != ahead.ID {
		t.Errorf("got %q, want %q at once", got.ID, ahead.ID)
	}
	must.Succeed(t, db.Retry(t.Context(), ahead.ID, testTime.Add(5*time.Hour), "refused"))
	must.Succeed(t, db.Close(t.Context()))
	db = start()
	defer db.Close(t.Context())
	if got := claimed(t, db, "ops", testTime.Add(inFlightGrace)); got.ID != ahead.ID {
		t.Errorf("got %q after a restart, want %q", got.ID, ahead.ID)
	}
}
