package gate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

func TestDrain(t *testing.T) {
	many, both := strings.Repeat("2", 40), "+1111 +2222"
	for _, tt := range []struct {
		name string
		want string // whether sessions are kept, new clients stay away, and traffic ends
		fixture
	}{
		{"sessions stay, and no new client comes", "yes yes yes", fixture{sessions: both, newClients: "1212" + many}},
		{"sessions move along", "yes yes yes", fixture{sessions: "+1122 +2222", newClients: "1212" + many}},
		{"a session is lost", "no yes yes", fixture{sessions: "+11!2+22 +2222", newClients: "1212" + many}},
		{"too few new clients for a conclusion", "yes no no", fixture{sessions: both, newClients: "1212222"}},
		{"too few new clients, and the last round shows it", "yes yes yes", fixture{sessions: both, newClients: "1212222", outAtEnd: "node1"}},
		{"too few new clients, and the balancer reports a drain that has ended", "yes yes yes", fixture{sessions: both, newClients: "121222212", evidence: "uuudddu"}},
		{"no client was ever there", "unknown unknown unknown", fixture{sessions: "+2222", newClients: "222"}},
		{"new clients whose target it is", "yes yes yes", fixture{sessions: both, newClients: "node1:11222 node2:22222"}},
		{"it is back at the end", "yes yes yes", fixture{sessions: both, newClients: "12" + many + "1212", evidence: "uddddu"}},
		{"the balancer says it drains, and does not", "yes no yes", fixture{sessions: both, newClients: "12121212" + many, evidence: "uddddddddd"}},
		{"the balancer says that nothing has changed", "yes no no", fixture{sessions: both, newClients: "1212121212", evidence: "uuuuuuu"}},
		{"an ejection that the balancer reports is no drain", "yes no no", fixture{sessions: both, newClients: "1212121212", evidence: "xxxxx"}},
		{"one address of the balancer goes on sending new clients there", "yes no no", fixture{sessions: both, newClients: "1212" + many + " 1212121212"}},
		{"another address never sent our clients there", "yes yes yes", fixture{sessions: both, newClients: "node1:1122222 222222", hashes: true}},
		{"from our own address the hash may always choose another", "yes unknown unknown", fixture{sessions: both, newClients: many, hashes: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limits.Drain, tt.method = "node1", probes.MethodRoundRobin
			if tt.hashes {
				tt.method = probes.MethodIPHash
			}
			r := tt.judged(t)
			last := r.Guarantees[len(r.Guarantees)-3:]
			if got := fmt.Sprint(last[0].Kept, " ", last[1].Kept, " ", last[2].Kept); got != tt.want {
				t.Errorf("got %s, want %s: %+v", got, tt.want, r.Guarantees)
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
		{"sessions left before the last new client came", fixture{sessions: "+12222 +2222", newClients: "1.1.1" + otherNode}, "the last answer to a client of ours came at 12:00:00.405"},
		{"a session left after that", fixture{sessions: "+11111112222 +2222", newClients: "121" + otherNode}, "the last answer to a client of ours came at 12:00:00.605"},
		{
			"a session stayed",
			fixture{sessions: "+1111111 +2222", newClients: "121" + otherNode},
			"the last answer to a client of ours came at 12:00:00.205, but for sessions that it had before: 1 of ours stayed",
		},
		{
			"it was taken back later",
			fixture{sessions: "+112222222222222222222222222222222222211 +2222", newClients: "121" + otherNode + "1212"},
			"the last answer to a client of ours came at 12:00:00.205",
		},
		{"it was out before the watch", fixture{sessions: "+2222", newClients: otherNode}, "none of our clients was sent there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limits.Drain, tt.method, tt.lasted = "node1", probes.MethodRoundRobin, 10*time.Second
			r := tt.judged(t)
			guarantee := r.Guarantees[len(r.Guarantees)-1]
			if guarantee.Kept != checks.Yes || guarantee.Reasons[0].String() != tt.want {
				t.Errorf("got %s, %q, want yes and %q", guarantee.Kept, guarantee.Reasons, tt.want)
			}
		})
	}
}
