package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/probes"
)

func TestDrain(t *testing.T) {
	many := strings.Repeat("2", 40)
	for _, tt := range []struct {
		name string
		scene
		want [3]checks.Answer // sessions, newcomers, traffic
	}{
		{
			"sessions stay, and nobody new comes",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"1212" + many}},
			[3]checks.Answer{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"sessions move along",
			scene{sessions: []string{"+1122", "+2222"}, newcomers: []string{"1212" + many}},
			[3]checks.Answer{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"a session is lost",
			scene{sessions: []string{"+11!2+22", "+2222"}, newcomers: []string{"1212" + many}},
			[3]checks.Answer{checks.No, checks.Yes, checks.Yes},
		},
		{
			"too few newcomers to tell",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"1212222"}},
			[3]checks.Answer{checks.Yes, checks.No, checks.No},
		},
		{
			"nobody was ever there",
			scene{sessions: []string{"+2222"}, newcomers: []string{"222"}},
			[3]checks.Answer{checks.Unknown, checks.Unknown, checks.Unknown},
		},
		{
			"newcomers who must land there",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"node1: 11222", "node2: 22222"}},
			[3]checks.Answer{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"it is back at the end",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"12" + many + "1212"}, said: map[string]string{"node1": "uddddu"}},
			[3]checks.Answer{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"the balancer says it drains, and does not",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"12121212" + many}, said: map[string]string{"node1": "uddddddddd"}},
			[3]checks.Answer{checks.Yes, checks.No, checks.Yes},
		},
		{
			"the balancer says that nothing has changed",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"1212121212"}, said: map[string]string{"node1": "uuuuuuu"}},
			[3]checks.Answer{checks.Yes, checks.No, checks.No},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.terms.Drain, tt.method = "node1", probes.MethodRoundRobin
			r := tt.judged(t)
			var got [3]checks.Answer
			for i, p := range r.Promises[len(r.Promises)-3:] {
				got[i] = p.Kept
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s\n%+v", diff, r.Promises)
			}
		})
	}
}
