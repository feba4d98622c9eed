package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/must"
)

// TestFleetAlone: clusters break while the database is away for more than half a minute. The instance
// that watches a cluster notifies of it by itself, once, and the message says so. When the database is back, all
// of it is written, nothing is sent again, and another instance continues from it.
func TestFleetAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for instances to notify by themselves")
	}
	f := newFleetRig(t, 6)
	for _, name := range instances {
		f.start(t, name)
	}
	await(t, 2*time.Minute, "each instance has clusters", func() bool { return f.owned(t, instances...) })
	for name, p := range f.running {
		await(t, time.Minute, name+" shows all clusters", func() bool { return f.showsAll(t, p, time.Time{}) })
	}
	owners := f.owners(t)

	f.database.Stop()
	stopped := time.Now()
	must.Succeed(t, f.Break("node-down"))
	k := &killTest{rig: f.rig, workspace: f.workspace}
	isRoot := func(m slacktest.Message) bool { return m.Thread == "" }
	incidents := len(f.clusters) + len(instances) // each instance also notifies that the database is away
	await(t, 3*time.Minute, "each instance notifies by itself", func() bool { return len(k.channelMessages()) >= incidents })
	if took := time.Since(stopped); took < 30*time.Second {
		t.Errorf("the first notifications were sent after %s without the database, want half a minute", took)
	}
	alone := f.workspace.Messages()
	for _, m := range alone {
		if text := m.Text + m.Attachments + m.Blocks; isRoot(m) && !strings.Contains(text, "cannot reach the fleet") {
			t.Errorf("a message does not say that an instance sent it by itself: %s", text)
		}
	}

	f.database.Start()
	must.Succeed(t, f.Heal())
	var list []alerting.Incident
	await(t, 3*time.Minute, "everything is written and resolved", func() bool {
		var err error
		f.state(t)
		if list, err = f.reader.Incidents(t.Context(), alerting.IncidentQuery{}); err != nil {
			return false // its connection ended with the database
		}
		pending, err := f.reader.Pending(t.Context())
		return err == nil && pending["ops"] == 0 && len(list) >= incidents && k.resolvedReplies() >= len(list) &&
			!slices.ContainsFunc(list, func(i alerting.Incident) bool { return i.State != alerting.Resolved })
	})
	roots := k.channelMessages()
	told := make(map[string]int)
	for _, i := range list {
		told[i.Cluster]++
		if n := roots[alerting.NotificationID(i.ID, "ops", 1)]; n != 1 {
			t.Errorf("%q %s: %d root messages, want one", i.Cluster, i.Cause.Key(), n)
		}
	}
	for cluster := range owners {
		if told[cluster] != 1 {
			t.Errorf("%s: %d incidents, want one", cluster, told[cluster])
		}
	}
	if len(roots) != len(list) || told[""] != len(instances) {
		t.Errorf("got %d root messages for %d incidents, %d of them of the database", len(roots), len(list), told[""])
	}

	sent := len(f.workspace.Messages())
	f.running["a"].kill()
	killed := time.Now()
	await(t, time.Minute, "the others watch its cluster", func() bool { return f.showsAll(t, f.running["b"], killed) })
	for id, n := range count(f.workspace.Messages(), func(slacktest.Message) bool { return true }) {
		if n > 1 {
			t.Errorf("the notification %s was sent %d times", id, n)
		}
	}
	if now := len(f.workspace.Messages()); now != sent {
		t.Errorf("after a takeover there are %d messages, were %d", now, sent)
	}
}
