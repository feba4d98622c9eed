package alerting

import (
	"testing"
	"time"
)

const (
	redis     = "critical dependency_down/Redis"
	paused1   = "critical node_paused/node1"
	paused2   = "critical node_paused/node2"
	byRedis   = " < dependency_down/Redis"
	down1     = "warning node_down/node1"
	rotation1 = "critical node_failing_in_rotation/node1 < node_down/node1"
)

// TestDefaultRules specifies the notifications by the default rules: critical findings
// fire at once, warnings after 30 s, and incidents resolve after 30 s.
func TestDefaultRules(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, testCases := range map[string][]testCase{
		"a critical finding fires at once and resolves after a quiet time": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{10 * s, "", nil},
			{39 * s, onlyTime, nil},
			{40 * s, onlyTime, []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
			{h, onlyTime, nil},
		},
		"a warning fires when it has been active long enough": {
			{0, down1, nil},
			{29 * s, onlyTime, nil},
			{30 * s, onlyTime, []string{"ops fired #1 node_down/node1 warning"}},
		},
		"a short warning does not fire": {
			{0, down1, nil},
			{20 * s, "", nil},
			{50 * s, "", nil},
			{h, "", nil},
		},
		"what comes back within the quiet time goes on": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{10 * s, "", nil},
			{39 * s, paused1, []string{"ops developed #1 node_paused/node1 critical [left node_paused/node1, returned node_paused/node1]"}},
			{50 * s, "", nil},
			{80 * s, "", []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
		},
		"what comes back after that begins anew": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{10 * s, "", nil},
			{40 * s, "", []string{"ops resolved #1 node_paused/node1 critical [left node_paused/node1]"}},
			{41 * s, paused1, []string{"ops fired #2 node_paused/node1 critical"}},
		},
		"a cause and its effects are one": {
			{0, redis + ";" + paused1 + byRedis + ";" + paused2 + byRedis, []string{"ops fired #1 dependency_down/Redis critical"}},
			{10 * s, "", nil},
			{40 * s, "", []string{"ops resolved #1 dependency_down/Redis critical [left dependency_down/Redis, left node_paused/node1, left node_paused/node2]"}},
		},
		"the severity is that of the worst effect": {
			{0, down1 + ";" + rotation1, []string{"ops fired #1 node_down/node1 critical"}},
		},
		"and never falls": {
			{0, down1, nil},
			{10 * s, down1 + ";" + rotation1, []string{"ops fired #1 node_down/node1 critical"}},
			{20 * s, down1, nil},
			{40 * s, down1, []string{"ops developed #1 node_down/node1 critical [left node_failing_in_rotation/node1]"}},
		},
		"a higher severity is notified at once": {
			{0, down1, nil},
			{30 * s, down1, []string{"ops fired #1 node_down/node1 warning"}},
			{31 * s, down1 + ";" + rotation1, []string{"ops developed #1 node_down/node1 critical [joined node_failing_in_rotation/node1, worsened]"}},
			{61 * s, onlyTime, nil},
		},
		"developments are gathered": {
			{0, redis, []string{"ops fired #1 dependency_down/Redis critical"}},
			{3 * s, redis + ";" + paused1 + byRedis, nil},
			{6 * s, redis + ";" + paused1 + byRedis + ";" + paused2 + byRedis, nil},
			{29 * s, onlyTime, nil},
			{30 * s, onlyTime, []string{"ops developed #1 dependency_down/Redis critical [joined node_paused/node1, joined node_paused/node2]"}},
		},
		"a cause that appears later than its effect leads": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{3 * s, paused1 + byRedis + ";" + redis, nil},
			{30 * s, onlyTime, []string{"ops developed #1 dependency_down/Redis critical [joined dependency_down/Redis, explained dependency_down/Redis]"}},
		},
		"two incidents that turn out to have one cause are one, the older": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{3 * s, paused1 + ";" + paused2, []string{"ops fired #2 node_paused/node2 critical"}},
			{40 * s, paused1 + byRedis + ";" + paused2 + byRedis + ";" + redis, []string{
				"ops developed #1 dependency_down/Redis critical [merged, joined dependency_down/Redis, explained dependency_down/Redis]",
				"ops resolved #2 node_paused/node2 critical",
			}},
			{60 * s, "", nil},
			{90 * s, "", []string{"ops resolved #1 dependency_down/Redis critical [left dependency_down/Redis, left node_paused/node1, left node_paused/node2]"}},
		},
		"an older pending incident fires for the younger": {
			{0, down1, nil},
			{3 * s, down1 + ";" + paused2, []string{"ops fired #2 node_paused/node2 critical"}},
			{6 * s, redis + ";" + down1 + byRedis + ";" + paused2 + byRedis, []string{
				"ops fired #1 dependency_down/Redis critical",
				"ops resolved #2 node_paused/node2 critical",
			}},
		},
		"another cause is another incident": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{3 * s, paused1 + ";" + redis, []string{"ops fired #2 dependency_down/Redis critical"}},
		},
		"chains are followed": {
			{0, "critical balancer_error < node_failing_in_rotation/node1;" + rotation1 + ";" + down1, []string{"ops fired #1 node_down/node1 critical"}},
		},
		"what a cause leaves behind is still part of it": {
			{0, redis + ";" + paused1 + byRedis, []string{"ops fired #1 dependency_down/Redis critical"}},
			{60 * s, paused1, []string{"ops developed #1 dependency_down/Redis critical [left dependency_down/Redis]"}},
			{90 * s, paused1, nil},
			{95 * s, "", nil},
			{125 * s, "", []string{"ops resolved #1 dependency_down/Redis critical [left node_paused/node1]"}},
		},
		"until another cause explains it": {
			{0, redis + ";" + paused1 + byRedis, []string{"ops fired #1 dependency_down/Redis critical"}},
			{60 * s, paused1, []string{"ops developed #1 dependency_down/Redis critical [left dependency_down/Redis]"}},
			{65 * s, paused1 + " < dependency_down/MySQL; critical dependency_down/MySQL", []string{"ops fired #2 dependency_down/MySQL critical"}},
			{95 * s, onlyTime, []string{"ops resolved #1 dependency_down/Redis critical"}},
		},
		"information raises nothing": {
			{0, "info blind_spot; info store_failover < blind_spot", nil},
			{h, onlyTime, nil},
		},
		"but may be the cause": {
			{0, "info node_restarted/node2; warning start_order/node2 < node_restarted/node2", nil},
			{30 * s, "warning start_order/node2", []string{"ops fired #1 node_restarted/node2 warning"}},
		},
		"reminders back off, up to a day": {
			{0, paused1, []string{"ops fired #1 node_paused/node1 critical"}},
			{4*h - s, onlyTime, nil},
			{4 * h, onlyTime, []string{"ops reminder #1 node_paused/node1 critical"}},
			{12*h - s, onlyTime, nil},
			{12 * h, onlyTime, []string{"ops reminder #1 node_paused/node1 critical"}},
			{28 * h, onlyTime, []string{"ops reminder #1 node_paused/node1 critical"}},
			{52*h - s, onlyTime, nil},
			{52 * h, onlyTime, []string{"ops reminder #1 node_paused/node1 critical"}},
			{76 * h, onlyTime, []string{"ops reminder #1 node_paused/node1 critical"}},
		},
		"a flapping finding fires once although it is never active for long": {
			{0, down1, nil},
			{20 * s, "", nil},
			{1 * m, down1, nil},
			{80 * s, "", nil},
			{2 * m, down1, nil},
			{140 * s, "", nil},
			{3 * m, down1, nil},
			{200 * s, "", nil},
			{4 * m, down1, []string{"ops fired #5 node_down/node1 warning"}},
			{260 * s, "", nil},
			{5 * m, down1, nil},
			{320 * s, "", nil},
			{6 * m, "", nil},
			{20 * m, "", nil},
			{20*m + 20*s, "", []string{"ops resolved #5 node_down/node1 warning"}},
		},
	} {
		t.Run(name, func(t *testing.T) { newRig(usual()).play(t, testCases, false) })
		t.Run(name+", restarted", func(t *testing.T) { newRig(usual()).play(t, testCases, true) })
	}
}
