package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/history"
)

// TestFleetAlone: while the database is away for more than half a minute, each instance notifies by
// itself and says so, also that the database is away. When it is back, the history has the same
// incidents, they end, and nothing was sent twice.
func TestFleetAlone(t *testing.T) {
	f := newFleetRig(t, 3)
	for _, name := range instances {
		f.start(t, name)
	}
	await(t, 3*time.Minute, "each instance has a cluster", func() bool { return f.owned(t, instances...) })
	f.database.Stop()
	if err := f.Break("node-down"); err != nil {
		t.Fatal(err)
	}
	k := &killTest{rig: f.rig, workspace: f.workspace}
	about := func(text string) (n int) {
		for _, m := range f.workspace.Messages() {
			if m.Thread == "" && strings.Contains(all(m), text) {
				n++
			}
		}
		return n
	}
	await(t, 3*time.Minute, "each instance notifies of the database and of its cluster", func() bool {
		return about("the fleet's database is away") == 3 && len(k.roots()) >= 6
	})
	if alone := about("cannot reach the fleet's database"); alone != len(k.roots()) {
		t.Errorf("%d of %d messages say that they are sent by an instance alone", alone, len(k.roots()))
	}
	before := k.roots()
	f.database.Start()
	incidents := func() (list []alerting.Incident) {
		list, _ = f.reader.Incidents(t.Context(), history.IncidentQuery{})
		return list
	}
	await(t, 3*time.Minute, "the history has every incident that was notified, and no other", func() bool {
		known := 0
		for _, i := range incidents() {
			known += before[alerting.NotificationID(i.ID, "ops", 1)]
		}
		return known == len(before)
	})
	if err := f.Heal(); err != nil {
		t.Fatal(err)
	}
	await(t, 3*time.Minute, "every incident ends", func() bool {
		return !slices.ContainsFunc(incidents(), func(i alerting.Incident) bool { return i.State != alerting.Resolved })
	})
	for id, n := range k.roots() {
		if n > 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
}

// all returns all that a message shows.
func all(m slacktest.Message) string { return m.Text + m.Attachments + m.Blocks }
