package alerting

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

func TestSilenceMatches(t *testing.T) {
	for name, tt := range map[string]struct {
		silence Silence
		finding string
		want    bool
	}{
		"everything":                 {Silence{}, paused1, true},
		"its cluster":                {Silence{Cluster: "shop"}, paused1, true},
		"another cluster":            {Silence{Cluster: "mall"}, paused1, false},
		"its node":                   {Silence{Cluster: "shop", Node: "node1"}, paused1, true},
		"another node":               {Silence{Cluster: "shop", Node: "node2"}, paused1, false},
		"a node, of what is of none": {Silence{Cluster: "shop", Node: "node1"}, redis, false},
		"its code":                   {Silence{Code: checks.NodePaused}, paused1, true},
		"another code":               {Silence{Code: checks.NodeDown}, paused1, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.silence.matches("shop", finding(t, tt.finding)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestSilenced specifies which notifications a silence suppresses.
func TestSilenced(t *testing.T) {
	const s, m = time.Second, time.Minute
	node1 := Silence{ID: "a", Cluster: "shop", Node: "node1", Reason: "deploy 4.2", From: noon.Add(m), To: noon.Add(20 * m)}
	forRedis := Silence{ID: "b", Code: checks.DependencyDown, From: noon.Add(m), To: noon.Add(20 * m)}
	for name, tt := range map[string]struct {
		silence   Silence
		testCases []testCase
	}{
		"a finding that begins and ends within is not notified": {node1, []testCase{
			{2 * m, paused1, nil},
			{10 * m, "", nil},
			{11 * m, "", nil},
			{21 * m, "", nil},
		}},
		"a finding that outlives the silence is notified": {node1, []testCase{
			{2 * m, paused1, nil},
			{20*m - 1, onlyTime, nil},
			{20 * m, onlyTime, []string{"ops fired #1 node_paused/node1 critical"}},
		}},
		"a finding that ended shortly before the silence is not notified": {node1, []testCase{
			{2 * m, paused1, nil},
			{19*m + 50*s, "", nil},
			{20 * m, "", nil},
			{20*m + 20*s, "", nil},
		}},
		"the end of a notified incident is notified": {node1, []testCase{
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{2 * m, "", nil},
			{3 * m, "", []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
		}},
		"developments and reminders wait": {node1, []testCase{
			{0, down1, nil},
			{30 * s, down1, []string{"ops fired #1 node_down/node1 warning"}},
			{2 * m, down1 + ";" + rotation1, nil},
			{19 * m, onlyTime, nil},
			{20 * m, onlyTime, []string{"ops developed #1 node_down/node1 critical [joined node_failing_in_rotation/node1, worsened]"}},
		}},
		"another node is notified": {node1, []testCase{
			{2 * m, paused1 + ";" + paused2, []string{"ops fired #2 node_paused/node2 critical"}},
		}},
		"a cause that is not silenced is notified": {node1, []testCase{
			{2 * m, redis + ";" + paused1 + byRedis, []string{"ops fired #1 dependency_down/Redis critical"}},
		}},
		"a silenced cause silences its effects": {forRedis, []testCase{
			{2 * m, redis + ";" + paused1 + byRedis + ";" + paused2 + byRedis, nil},
			{3 * m, paused1 + byRedis, nil},
			{4 * m, paused1, []string{"ops fired #1 dependency_down/Redis critical"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			r.manager.SetSilences([]Silence{tt.silence})
			r.play(t, tt.testCases, false)
		})
		t.Run(name+", restarted", func(t *testing.T) {
			r := newRig(usual())
			r.manager.SetSilences([]Silence{tt.silence})
			r.play(t, tt.testCases, true)
		})
		t.Run(name+", by a window", func(t *testing.T) {
			c := usual()
			w := tt.silence
			c.Windows = []Window{{Cluster: w.Cluster, Node: w.Node, Code: w.Code, Active: w.Active}}
			newRig(c).play(t, tt.testCases, true)
		})
	}
}

// TestSilencedIsRecorded: silenced incidents are recorded with the reason.
func TestSilencedIsRecorded(t *testing.T) {
	r := newRig(usual())
	r.manager.SetSilences([]Silence{{ID: "a", Node: "node1", Reason: "deploy\n4.2", From: noon, To: noon.Add(time.Minute)}})
	r.play(t, []testCase{
		{at: 0, active: paused1},
		{at: time.Minute, active: onlyTime, want: []string{"ops fired #1 node_paused/node1 critical"}},
	}, false)
	want := []string{
		"opened node_paused/node1 new_cause", "fired held_long_enough", "silenced silence",
		"unsilenced silence_over", "told first_notice",
	}
	i := r.kept[r.ids[0]]
	expect.Equal(t, "timeline", want, timelineLines(i.Timeline))
	if got := i.Timeline[2].Text; got != "deploy 4.2" || i.Silenced != "" {
		t.Errorf("got silenced for %q, and %q in the end", got, i.Silenced)
	}
}
