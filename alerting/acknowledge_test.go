package alerting

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// acknowledge acknowledges the first incident.
func (r *rig) acknowledge(t *testing.T, at time.Duration, by, note string) []string {
	t.Helper()
	decision, err := r.manager.Acknowledge(noon.Add(at), r.ids[0], Acknowledgement{By: by, Note: note}, false)
	must.Succeed(t, err)
	return r.lines(r.commit(decision))
}

const hour = time.Hour

// TestAcknowledge: receivers are notified of an acknowledgement at once, and of what
// happens afterwards, but are not reminded.
func TestAcknowledge(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts=", restarts), func(t *testing.T) {
			r := newRig(usual())
			r.play(t, []testCase{
				{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
				{4 * hour, paused1, []string{"ops reminder #1 node_paused/node1 critical"}},
			}, restarts)
			want := []string{"ops developed #1 node_paused/node1 critical [acknowledged]"}
			expect.Equal(t, "acknowledged", want, r.acknowledge(t, 4*hour+time.Second, "zhang", "on it"))
			if restarts {
				r.restart(noon.Add(4 * hour))
			}
			r.play(t, []testCase{
				{13 * hour, paused1, nil},
				{40 * hour, paused1, nil},
				{41 * hour, "", nil},
				{42 * hour, onlyTime, []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
			}, restarts)
			if got := r.kept[r.ids[0]].Acknowledged; got != (Acknowledgement{noon.Add(4*hour + time.Second), "zhang", "on it"}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestAcknowledgeUnknown: only an open incident can be acknowledged.
func TestAcknowledgeUnknown(t *testing.T) {
	r := newRig(usual())
	r.play(t, []testCase{
		{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
		{hour, "", nil},
		{2 * hour, onlyTime, []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
	}, false)
	for _, id := range []string{"", "x", r.ids[0]} {
		if _, err := r.manager.Acknowledge(noon, id, Acknowledgement{}, true); !errors.Is(err, ErrNotOpen) {
			t.Errorf("%q was acknowledged", id)
		}
		if _, err := r.manager.AddNote(id, NewNote(noon, "li", "x")); !errors.Is(err, ErrNotOpen) {
			t.Errorf("%q got a note", id)
		}
	}
}

// TestSecondAcknowledgement: the acknowledgement of somebody else is replaced only on
// request, and every acknowledgement and note stays in the timeline.
func TestSecondAcknowledgement(t *testing.T) {
	r := newRig(usual())
	r.play(t, []testCase{{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}}}, false)
	id := r.ids[0]
	for n, test := range []struct {
		by       string
		takeOver bool
		refused  bool
	}{
		{"zhang", false, false},
		{"li", false, true},
		{"", false, true},
		{"zhang", false, false},
		{"li", true, false},
		{"zhang", false, true},
		{"", true, false},
		{"", false, true},
	} {
		decision, err := r.manager.Acknowledge(noon.Add(time.Duration(n)*time.Second), id, Acknowledgement{By: test.by, Note: fmt.Sprint(n)}, test.takeOver)
		if _, refused := errors.AsType[AcknowledgedError](err); refused != test.refused {
			t.Fatalf("%d: got %v", n, err)
		}
		if err == nil {
			r.commit(decision)
		}
	}
	decision, err := r.manager.AddNote(id, NewNote(noon.Add(time.Minute), "wang", "disk full"))
	if err != nil || len(decision.Notifications) != 0 {
		t.Errorf("a note: got %v and %d notifications", err, len(decision.Notifications))
	}
	r.commit(decision)
	var english, chinese []string
	for _, e := range r.kept[id].Timeline {
		if e.byPerson() {
			english, chinese = append(english, English.Event(e)), append(chinese, Chinese.Event(e))
		}
	}
	want := []string{"acknowledged by zhang: 0", "acknowledged by zhang: 3", "acknowledged by li: 4", "acknowledged by somebody: 6", "note by wang: disk full"}
	expect.Equal(t, "timeline", want, english)
	want = []string{"已认领：zhang：0", "已认领：zhang：3", "已认领：li：4", "已认领：6", "备注：wang：disk full"}
	expect.Equal(t, "in Chinese", want, chinese)
}

// TestNotesOutliveEvents: a long timeline loses what stickwatch wrote before what people
// wrote.
func TestNotesOutliveEvents(t *testing.T) {
	i := Incident{}
	for n := range 3 * maxEvents {
		e := Event{At: noon.Add(time.Duration(n) * time.Second), Kind: EventJoined}
		if n%100 == 99 {
			e = NewNote(e.At, "li", fmt.Sprint(n))
		}
		i = i.WithNote(e)
	}
	var notes []string
	for _, e := range i.Timeline {
		if e.Kind == EventNoted {
			notes = append(notes, e.Detail)
		}
	}
	if diff := cmp.Diff([]string{"99", "199", "299", "399", "499", "599"}, notes); diff != "" || len(i.Timeline) != maxEvents {
		t.Errorf("%d events, notes (-want +got):\n%s", len(i.Timeline), diff)
	}
}

// TestAcknowledgedWarning: an incident that becomes critical is one that nobody has
// acknowledged.
func TestAcknowledgedWarning(t *testing.T) {
	r := newRig(usual())
	r.play(t, []testCase{{0, down1, nil}, {hour, down1, []string{"ops fired #1 node_down/node1 warning"}}}, false)
	r.acknowledge(t, hour+time.Second, "", "")
	r.play(t, []testCase{
		{7 * hour, down1, nil},
		{8 * hour, down1 + ";" + rotation1, []string{"ops developed #1 node_down/node1 critical [joined node_failing_in_rotation/node1, worsened]"}},
		{12 * hour, down1 + ";" + rotation1, []string{"ops reminder #1 node_down/node1 critical"}},
	}, false)
}

func escalating() Config {
	c := usual()
	c.Receivers = []string{"ops", "boss"}
	c.Routes = []Route{{Receiver: "ops", Escalation: Escalation{After: 15 * time.Minute, To: "boss"}}}
	return c
}

// TestEscalation: a further receiver is notified of a critical incident that nobody has
// acknowledged, and then of its end.
func TestEscalation(t *testing.T) {
	const minute = time.Minute
	for _, restarts := range []bool{false, true} {
		r := newRig(escalating())
		r.play(t, []testCase{
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{14 * minute, paused1, nil},
			{15 * minute, onlyTime, []string{"boss fired #1 node_paused/node1 critical [escalated]"}},
			{16 * minute, paused1, nil},
			{20 * minute, "", nil},
			{21 * minute, onlyTime, []string{
				"ops resolved #1 node_paused/node1 critical [left node_paused/node1]",
				"boss resolved #1 node_paused/node1 critical [left node_paused/node1]",
			}},
		}, restarts)
	}
}

// TestNoEscalation: nobody else is notified of an incident that is acknowledged, a
// warning, or over.
func TestNoEscalation(t *testing.T) {
	const minute = time.Minute
	t.Run("acknowledged", func(t *testing.T) {
		r := newRig(escalating())
		r.play(t, []testCase{{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}}}, false)
		r.acknowledge(t, minute, "li", "")
		r.play(t, []testCase{{20 * minute, paused1, nil}}, true)
	})
	t.Run("over", func(t *testing.T) {
		newRig(escalating()).play(t, []testCase{
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{14*minute + 50*time.Second, "", nil},
			{15*minute + time.Second, onlyTime, nil},
			{16 * minute, onlyTime, []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
		}, false)
	})
	t.Run("a warning, until it is critical", func(t *testing.T) {
		newRig(escalating()).play(t, []testCase{
			{0, down1, nil},
			{minute, down1, []string{"ops fired #1 node_down/node1 warning"}},
			{60 * minute, down1 + ";" + rotation1, []string{"ops developed #1 node_down/node1 critical [joined node_failing_in_rotation/node1, worsened]"}},
			{74 * minute, onlyTime, nil},
			{75 * minute, onlyTime, []string{"boss fired #1 node_down/node1 critical [escalated]"}},
		}, true)
	})
	t.Run("silenced", func(t *testing.T) {
		r := newRig(escalating())
		r.play(t, []testCase{{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}}}, false)
		r.manager.SetSilences([]Silence{{ID: "s", Code: checks.NodePaused, From: noon, To: noon.Add(hour)}})
		r.play(t, []testCase{{59 * minute, paused1, nil}, {61 * minute, onlyTime, []string{"boss fired #1 node_paused/node1 critical [escalated]"}}}, true)
	})
}
