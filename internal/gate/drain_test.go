package gate

import (
	"strings"
	"testing"
	"time"

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
		{
			"an ejection that the balancer tells of is no drain",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"1212121212"}, said: map[string]string{"node1": "xxxxx"}},
			[3]checks.Answer{checks.Yes, checks.No, checks.No},
		},
		{
			"one address of the balancer goes on sending new clients there",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"1212" + many, "1212121212"}},
			[3]checks.Answer{checks.Yes, checks.No, checks.No},
		},
		{
			"another address never sent our clients there",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{"node1: 1122222", "222222"}, hashes: true},
			[3]checks.Answer{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"from our own address the hash may always choose another",
			scene{sessions: []string{"+1111", "+2222"}, newcomers: []string{many}, hashes: true},
			[3]checks.Answer{checks.Yes, checks.Unknown, checks.Unknown},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.terms.Drain, tt.method = "node1", probes.MethodRoundRobin
			if tt.hashes {
				tt.method = probes.MethodIPHash
			}
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

// When the traffic reached zero is told, and how many sessions of ours stayed.
func TestEmptied(t *testing.T) {
	const elsewhere = "222222222222222222222222222222"
	for _, tt := range []struct {
		name string
		scene
		want string
	}{
		{
			"sessions left before the last new client came",
			scene{sessions: []string{"+12222", "+2222"}, newcomers: []string{"1.1.1" + elsewhere}},
			"the last answer to a client of ours came at 12:00:00.405",
		},
		{
			"a session left after that",
			scene{sessions: []string{"+11111112222", "+2222"}, newcomers: []string{"121" + elsewhere}},
			"the last answer to a client of ours came at 12:00:00.605",
		},
		{
			"a session stayed",
			scene{sessions: []string{"+1111111", "+2222"}, newcomers: []string{"121" + elsewhere}},
			"the last answer to a client of ours came at 12:00:00.205, but for sessions that it had before: 1 of ours stayed",
		},
		{
			"it was taken back later",
			scene{sessions: []string{"+112222222222222222222222222222222222211", "+2222"}, newcomers: []string{"121" + elsewhere + "1212"}},
			"the last answer to a client of ours came at 12:00:00.205",
		},
		{
			"it was out before the watch",
			scene{sessions: []string{"+2222"}, newcomers: []string{elsewhere}},
			"none of our clients was sent there",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.terms.Drain, tt.method, tt.lasted = "node1", probes.MethodRoundRobin, 10*time.Second
			r := tt.judged(t)
			p := r.Promises[len(r.Promises)-1]
			if p.Kept != checks.Yes || p.Reasons[0] != tt.want {
				t.Errorf("got %s, %q, want yes and %q", p.Kept, p.Reasons, tt.want)
			}
		})
	}
}
