package balance

import (
	"net/netip"
	"testing"

	"stickwatch/internal/expect"
)

func TestClientFor(t *testing.T) {
	p := IPHash(named(3))
	var got []string
	for _, n := range []int{0, 1, 2, 200} {
		client, ok := ClientFor(p, 1, n)
		if !ok {
			t.Fatalf("ClientFor(1, %d) is not ok", n)
		}
		got = append(got, client.String())
	}
	want := []string{"198.18.1.2", "198.18.4.5", "198.18.10.11", "10.1.38.42"} // as in nginx
	expect.Equal(t, "clients", want, got)
}

func TestClientsCoverTheirNetworks(t *testing.T) {
	counts := make(map[string]int) // /24s by block
	seen := make(map[netip.Prefix]bool)
	for text := range syntheticClients() {
		client := netip.MustParseAddr(text)
		network := netip.PrefixFrom(client, 24).Masked()
		if seen[network] {
			t.Fatalf("%v is of a /24 seen before", client)
		}
		seen[network] = true
		for _, block := range []string{"198.18.0.0/15", "10.0.0.0/8"} {
			if netip.MustParsePrefix(block).Contains(client) {
				counts[block]++
			}
		}
	}
	want := map[string]int{"198.18.0.0/15": 512, "10.0.0.0/8": 65536}
	expect.Equal(t, "/24s by block", want, counts)
	if len(seen) != 512+65536 {
		t.Errorf("%d clients, want %d: some are of neither block", len(seen), 512+65536)
	}
}

func TestKeyFor(t *testing.T) {
	p := Hash(named(3))
	got := make([][]string, 3)
	for line := range got {
		for n := range 3 {
			key, ok := KeyFor(p, line, n)
			if !ok {
				t.Fatalf("KeyFor(%d, %d) is not ok", line, n)
			}
			got[line] = append(got[line], key)
		}
	}
	want := [][]string{
		{"stickwatch-4", "stickwatch-21", "stickwatch-23"},
		{"stickwatch-7", "stickwatch-9", "stickwatch-10"},
		{"stickwatch-2", "stickwatch-5", "stickwatch-11"},
	}
	expect.Equal(t, "keys", want, got)
}

func TestClientForUnreachable(t *testing.T) {
	servers := named(4)
	servers[1].Down = true
	servers[2].Backup = true
	p := IPHash(servers)
	for _, test := range []struct{ server, n int }{
		{1, 0},         // down
		{2, 0},         // backup
		{4, 0},         // no such line
		{0, -1},        // no such client
		{0, 1_000_000}, // more than there are
	} {
		if client, ok := ClientFor(p, test.server, test.n); ok {
			t.Errorf("ClientFor(%d, %d) = %v", test.server, test.n, client)
		}
	}
	if key, ok := KeyFor(Hash(servers), 1, 0); ok {
		t.Errorf("KeyFor(1, 0) = %q for a server that is down", key)
	}
}

// TestClientForSource: a client of HAProxy's source moves with another server if it can.
func TestClientForSource(t *testing.T) {
	p := Source(named(3))
	for server, want := range []int{2, 1, 2} { // of two other servers, those with which its clients move
		client, ok := ClientFor(p, server, 3)
		if !ok || pick(t, p, client.String()) != server {
			t.Fatalf("ClientFor(%d) = %v, %t", server, client, ok)
		}
		moves := 0
		for other := range 3 {
			if other != server && pick(t, p, client.String(), other) != server {
				moves++
			}
		}
		if moves != want {
			t.Errorf("the client of server %d moves with %d others, want %d", server, moves, want)
		}
	}
	if client, ok := ClientFor(Source(named(2)), 1, 5); !ok {
		t.Errorf("ClientFor of two servers = %v, which cannot move", client)
	}
}

// TestCanariesMoveWithTheList: a server line that is added moves the client of every line.
func TestCanariesMoveWithTheList(t *testing.T) {
	for name, method := range map[string]func([]Server) Picker{"ip_hash": IPHash, "hash": Hash} {
		for servers := 2; servers <= 4; servers++ {
			p, longer := method(named(servers)), method(named(servers+1))
			for line := range servers {
				client, _ := ClientFor(p, line, 0)
				if pick(t, longer, client.String()) == line {
					t.Errorf("%s: the client of line %d of %d stays with a line more", name, line, servers)
				}
			}
		}
	}
}

// BenchmarkSourceClients finds a client for each of 60 servers whose weights have no common divisor.
func BenchmarkSourceClients(b *testing.B) {
	servers := make([]Server, 60)
	for i := range servers {
		servers[i].Weight = 100 + i%50
	}
	for b.Loop() {
		picker := Source(servers)
		for line := range servers {
			if _, ok := ClientFor(picker, line, 1); !ok {
				b.Fatalf("server %d has no client", line)
			}
		}
	}
}

// TestClientForOnlyBackups tests a block without a primary, whose hash has no share for any line.
func TestClientForOnlyBackups(t *testing.T) {
	servers := named(2)
	servers[0].Backup, servers[1].Backup, servers[0].Down = true, true, true
	for name, method := range map[string]func([]Server) Picker{"ip_hash": IPHash, "hash": Hash} {
		if client, ok := ClientFor(method(servers), 1, 0); !ok {
			t.Errorf("%s: ClientFor = %v, %t, want the only server", name, client, ok)
		}
	}
}
