package daemon

import (
	"errors"
	"slices"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
	"stickwatch/internal/web"
)

// TestNoteOnResolvedIncident: a note on an incident that is resolved is in the history, and
// one on an unknown incident is refused.
func TestNoteOnResolvedIncident(t *testing.T) {
	disk := newDiskFixture(t)
	i := alerting.Incident{ID: "20260314T120000000-00000000", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Started: time.Now(), Ended: time.Now()}
	must.Succeed(t, disk.db.Commit(t.Context(), history.WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{i}}}))
	d := &Daemon{clock: newSteadyClock(), history: disk.db, writeQueue: disk.queue, incidentService: disk.incidentService}
	for _, text := range []string{"first", "second"} {
		if _, err := d.AddNote(t.Context(), i.ID, "li", text); err != nil {
			t.Fatal(err)
		}
	}
	found, err := disk.db.Incidents(t.Context(), history.IncidentQuery{ID: i.ID})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	var notes []string
	for _, e := range found[0].Timeline {
		notes = append(notes, e.Author+": "+e.Detail)
	}
	if want := []string{"li: first", "li: second"}; !slices.Equal(want, notes) {
		t.Errorf("got %q, want %q", notes, want)
	}
	if _, err := d.AddNote(t.Context(), "nosuch", "li", "text"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("an unknown incident: got %v", err)
	}
}
