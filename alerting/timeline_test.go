package alerting

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// TestTimeline: every decision is in the timeline with its reason.
func TestTimeline(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		testCases []testCase
		want      [][]string // by incident
	}{
		"a cause that is found, and leaves": {
			[]testCase{
				{at: 0, active: paused1, want: []string{"ops fired #1 node_paused/node1 critical"}},
				{at: 3 * s, active: redis + ";" + paused1 + byRedis},
				{at: 6 * s, active: paused1},
				{at: 9 * s, active: ""},
				{at: 39 * s, active: onlyTime, want: []string{"ops resolved #1 dependency_down/Redis critical " +
					"[joined dependency_down/Redis, explained dependency_down/Redis, left dependency_down/Redis, left node_paused/node1]"}},
			},
			[][]string{{
				"opened node_paused/node1 new_cause", "fired held_long_enough", "told first_notice",
				"joined dependency_down/Redis same_cause", "altered node_paused/node1 seen", "explained dependency_down/Redis cause_found",
				"left dependency_down/Redis gone", "altered node_paused/node1 seen",
				"left node_paused/node1 gone", "resolved quiet_long_enough", "told told_before",
			}},
		},
		"a warning that is not notified": {
			[]testCase{{at: 0, active: down1}, {at: 10 * s, active: ""}, {at: 40 * s, active: onlyTime}},
			[][]string{{"opened node_down/node1 new_cause", "left node_down/node1 gone", "withdrawn not_held_long_enough"}},
		},
		"two that are one": {
			[]testCase{
				{at: 0, active: down1},
				{at: 3 * s, active: down1 + "; warning slow/node2"},
				{at: 6 * s, active: redis + ";" + down1 + byRedis + "; warning slow/node2" + byRedis, want: []string{"ops fired #1 dependency_down/Redis critical"}},
			},
			[][]string{
				{
					"opened node_down/node1 new_cause", "merged one_cause", "joined dependency_down/Redis same_cause",
					"altered node_down/node1 seen", "altered slow/node2 seen", "explained dependency_down/Redis cause_found",
					"worsened worse_than_before", "fired held_long_enough", "told first_notice",
				},
				{"opened slow/node2 new_cause", "merged one_cause"},
			},
		},
		"a finding with another cause": {
			[]testCase{
				{at: 0, active: redis + ";" + paused1 + byRedis, want: []string{"ops fired #1 dependency_down/Redis critical"}},
				{
					at: 60 * s, active: redis + "; critical dependency_down/MySQL;" + paused1 + " < dependency_down/MySQL",
					want: []string{"ops fired #2 dependency_down/MySQL critical"},
				},
			},
			[][]string{
				{
					"opened dependency_down/Redis new_cause", "joined node_paused/node1 same_cause", "fired held_long_enough",
					"told first_notice", "moved node_paused/node1 other_cause",
				},
				{"opened dependency_down/MySQL new_cause", "joined node_paused/node1 same_cause", "fired held_long_enough", "told first_notice"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			r.play(t, tt.testCases, false)
			var got [][]string
			for _, id := range r.ids {
				got = append(got, timelineLines(r.kept[id].Timeline))
			}
			expect.Equal(t, "timelines", tt.want, got)
		})
	}
}

// TestRandomChangesAreNotRecorded: the nodes of a drift differ from round to round by chance
// and are not recorded as a change; the nodes of a failed dependency are.
func TestRandomChangesAreNotRecorded(t *testing.T) {
	for name, tt := range map[string]struct {
		finding checks.Finding
		want    []string
	}{
		"a drift": {
			checks.Finding{Code: checks.SessionDrift, Severity: checks.Critical},
			[]string{"opened session_drift new_cause", "fired held_long_enough", "told first_notice"},
		},
		"a dependency": {
			checks.Finding{Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis"},
			[]string{
				"opened dependency_down/Redis new_cause", "fired held_long_enough", "told first_notice",
				"altered dependency_down/Redis seen", "altered dependency_down/Redis seen",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			for n, nodes := range [][]string{{"node1", "node2"}, {"node2", "node3"}, {"node1", "node3"}} {
				f := tt.finding
				f.Nodes = nodes
				r.see(noon.Add(time.Duration(n)*3*time.Second), "shop", []checks.Finding{f})
			}
			expect.Equal(t, "timeline", tt.want, timelineLines(r.kept[r.ids[0]].Timeline))
			if got := r.manager.Open()[0].Cause.Nodes; !slices.Equal(got, []string{"node1", "node3"}) {
				t.Errorf("got nodes %q, want the newest", got)
			}
		})
	}
}

// TestTimelineIsBounded: the beginning and the end of a long timeline are kept.
func TestTimelineIsBounded(t *testing.T) {
	var timeline []Event
	for n := range 1000 {
		timeline = appendEvent(timeline, Event{Kind: EventAltered, Text: fmt.Sprint(n)})
	}
	cut := Event{Kind: EventCut, Reason: ReasonBounded, Omitted: 801, Text: "801 events were removed"}
	want := []string{"0", "49", cut.Text, "851", "999"}
	got := []string{timeline[0].Text, timeline[49].Text, timeline[50].Text, timeline[51].Text, timeline[199].Text}
	if diff := cmp.Diff(want, got); diff != "" || len(timeline) != maxEvents || !reflect.DeepEqual(timeline[50], cut) {
		t.Errorf("got %d events, %+v in place of those that are not kept (-want +got):\n%s", len(timeline), timeline[50], diff)
	}
}

// TestFindingsAreBounded: the findings that ended first are dropped.
func TestFindingsAreBounded(t *testing.T) {
	var i Incident
	for n := range maxFindings + 1 {
		m := Member{ActiveFinding: activeFindings(finding(t, fmt.Sprintf("warning node_down/node%d", n)))}
		if n == 7 || n == 9 {
			m.Ended = noon.Add(-time.Duration(n) * time.Minute)
		}
		i.add(m)
	}
	if i.member("", "node_down/node9") != nil || i.member("", "node_down/node7") == nil || len(i.Findings) != maxFindings {
		t.Errorf("got %d findings, want %d, without the one that ended first", len(i.Findings), maxFindings)
	}
}

// TestIncidentIDs: IDs sort by time and differ by the first finding.
func TestIncidentIDs(t *testing.T) {
	ids := []string{
		incidentID(noon, "shop", "node_down/node1"), incidentID(noon.Add(time.Millisecond), "shop", "node_down/node1"),
		incidentID(noon.Add(time.Second), "shop", "node_down/node1"), incidentID(noon.Add(24*time.Hour), "shop", "node_down/node1"),
	}
	if !slices.IsSorted(ids) {
		t.Errorf("%q are not in the order of time", ids)
	}
	others := []string{ids[0], incidentID(noon, "shop", "node_down/node2"), incidentID(noon, "mall", "node_down/node1"), incidentID(noon.Add(1), "shop", "node_down/node1")}
	slices.Sort(others)
	if unique := slices.Compact(slices.Clone(others)); len(unique) != len(others) {
		t.Errorf("%q are not unique", others)
	}
}

// TestWatch: the incidents of a removed cluster are resolved, and receivers are
// notified.
func TestWatch(t *testing.T) {
	r := newRig(usual())
	r.play(t, []testCase{{at: 0, active: paused1, want: []string{"ops fired #1 node_paused/node1 critical"}}}, false)
	if got := r.lines(r.commit(r.manager.Watch(noon.Add(time.Second), []string{"shop"}))); got != nil {
		t.Errorf("got %q of a cluster that is still watched", got)
	}
	got := r.lines(r.commit(r.manager.Watch(noon.Add(time.Second), []string{"mall"})))
	expect.Equal(t, "notifications", []string{"ops resolved #1 node_paused/node1 critical"}, got)
	if open := r.manager.Open(); len(open) != 0 {
		t.Errorf("got %d open incidents, want none", len(open))
	}
}
