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
		fixture
		want [3]checks.Tristate // sessions, new clients, traffic
	}{
		{
			"sessions stay, and no new client comes",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212" + many}},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"sessions move along",
			fixture{sessions: []string{"+1122", "+2222"}, newClients: []string{"1212" + many}},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"a session is lost",
			fixture{sessions: []string{"+11!2+22", "+2222"}, newClients: []string{"1212" + many}},
			[3]checks.Tristate{checks.No, checks.Yes, checks.Yes},
		},
		{
			"too few new clients for a conclusion",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212222"}},
			[3]checks.Tristate{checks.Yes, checks.No, checks.No},
		},
		{
			"too few new clients, and the last round shows it",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212222"}, outAtEnd: "node1"},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"too few new clients, and the balancer reports a drain that is over",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"121222212"}, balancerStates: map[string]string{"node1": "uuudddu"}},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"no client was ever there",
			fixture{sessions: []string{"+2222"}, newClients: []string{"222"}},
			[3]checks.Tristate{checks.Unknown, checks.Unknown, checks.Unknown},
		},
		{
			"new clients whose target it is",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"node1: 11222", "node2: 22222"}},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"it is back at the end",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"12" + many + "1212"}, balancerStates: map[string]string{"node1": "uddddu"}},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"the balancer says it drains, and does not",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"12121212" + many}, balancerStates: map[string]string{"node1": "uddddddddd"}},
			[3]checks.Tristate{checks.Yes, checks.No, checks.Yes},
		},
		{
			"the balancer says that nothing has changed",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212121212"}, balancerStates: map[string]string{"node1": "uuuuuuu"}},
			[3]checks.Tristate{checks.Yes, checks.No, checks.No},
		},
		{
			"an ejection that the balancer reports is no drain",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212121212"}, balancerStates: map[string]string{"node1": "xxxxx"}},
			[3]checks.Tristate{checks.Yes, checks.No, checks.No},
		},
		{
			"one address of the balancer goes on sending new clients there",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"1212" + many, "1212121212"}},
			[3]checks.Tristate{checks.Yes, checks.No, checks.No},
		},
		{
			"another address never sent our clients there",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{"node1: 1122222", "222222"}, hashes: true},
			[3]checks.Tristate{checks.Yes, checks.Yes, checks.Yes},
		},
		{
			"from our own address the hash may always choose another",
			fixture{sessions: []string{"+1111", "+2222"}, newClients: []string{many}, hashes: true},
			[3]checks.Tristate{checks.Yes, checks.Unknown, checks.Unknown},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limits.Drain, tt.method = "node1", probes.MethodRoundRobin
			if tt.hashes {
				tt.method = probes.MethodIPHash
			}
			r := tt.judged(t)
			var got [3]checks.Tristate
			for i, p := range r.Guarantees[len(r.Guarantees)-3:] {
				got[i] = p.Kept
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s\n%+v", diff, r.Guarantees)
			}
		})
	}
}

// TestEmptied checks that the report contains when the traffic reached zero, and how
// many own sessions stayed.
func TestEmptied(t *testing.T) {
	const otherNode = "222222222222222222222222222222"
	for _, tt := range []struct {
		name string
		fixture
		want string
	}{
		{
			"sessions left before the last new client came",
			fixture{sessions: []string{"+12222", "+2222"}, newClients: []string{"1.1.1" + otherNode}},
			"the last answer to a client of ours came at 12:00:00.405",
		},
		{
			"a session left after that",
			fixture{sessions: []string{"+11111112222", "+2222"}, newClients: []string{"121" + otherNode}},
			"the last answer to a client of ours came at 12:00:00.605",
		},
		{
			"a session stayed",
			fixture{sessions: []string{"+1111111", "+2222"}, newClients: []string{"121" + otherNode}},
			"the last answer to a client of ours came at 12:00:00.205, but for sessions that it had before: 1 of ours stayed",
		},
		{
			"it was taken back later",
			fixture{sessions: []string{"+112222222222222222222222222222222222211", "+2222"}, newClients: []string{"121" + otherNode + "1212"}},
			"the last answer to a client of ours came at 12:00:00.205",
		},
		{
			"it was out before the watch",
			fixture{sessions: []string{"+2222"}, newClients: []string{otherNode}},
			"none of our clients was sent there",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limits.Drain, tt.method, tt.lasted = "node1", probes.MethodRoundRobin, 10*time.Second
			r := tt.judged(t)
			p := r.Guarantees[len(r.Guarantees)-1]
			if p.Kept != checks.Yes || p.Reasons[0].String() != tt.want {
				t.Errorf("got %s, %q, want yes and %q", p.Kept, p.Reasons, tt.want)
			}
		})
	}
}
