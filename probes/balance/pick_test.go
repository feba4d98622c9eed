package balance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// A pickTest is a pick in addition to the recorded ones. Node -1: the server is
// unknown.
type pickTest struct {
	name    string
	picker  Picker
	key     string
	without []int
	want    int
}

// TestAddressBytes compares picks with those of nginx 1.22 and `hash $binary_remote_addr`.
func TestAddressBytes(t *testing.T) {
	servers := []Server{{Name: "127.0.0.1:21131"}, {Name: "127.0.0.1:21132"}, {Name: "127.0.0.1:21133"}}
	consistent, hash := AddressBytes(Consistent(servers)), AddressBytes(Hash(servers))
	for client, want := range map[string][2]int{
		"10.0.0.1": {0, 2}, "192.0.2.7": {0, 1}, "203.0.113.99": {2, 0}, "198.18.1.2": {1, 2}, "2001:db8::1": {2, 0}, "::1": {1, 2},
	} {
		expect.Equal(t, client, want, [2]int{pick(t, consistent, client), pick(t, hash, client)})
	}
	if _, ok := hash.Pick("app.example"); ok {
		t.Error("a key that is no address has a server")
	}
	for server := range servers {
		client, ok := ClientFor(consistent, server, 1)
		if expect.Equal(t, "a client", true, ok); pick(t, consistent, client.String()) != server {
			t.Errorf("the client %s is not sent to server %d", client, server)
		}
	}
}

func TestPick(t *testing.T) {
	three := named(3)
	single := named(1)
	single[0].Down = true
	duplicates := named(3)
	duplicates[1].Name = duplicates[0].Name
	heavy := named(2)
	heavy[0].Weight = 40

	for _, test := range []pickTest{
		{"no servers", IPHash(nil), "192.0.2.1", nil, noServer},
		{"no servers", Hash(nil), "key", nil, noServer},
		{"no servers", Consistent(nil), "key", nil, noServer},
		{"the only server is never ejected", Hash(named(1)), "key", []int{0}, 0},
		{"the only server is down", Consistent(single), "key", nil, noServer},

		{"not an address", IPHash(three), "app.example", nil, noServer},
		{"address and port", IPHash(three), "192.0.2.1:80", nil, noServer},
		{"not an address, one server", IPHash(named(1)), "", nil, noServer},
		{"unix socket", IPHash(named(5)), "unix:", []int{1, 3}, 0}, // as in nginx 1.22
		{"unix socket, as three zero octets", IPHash(named(5)), "0.0.0.9", []int{1, 3}, 0},
		{"a zone is not part of the address", IPHash(three), "fe80::1%eth0", nil, pick(t, IPHash(three), "fe80::1")},

		{"empty key", Hash(three), "", nil, noServer},
		{"empty key", Consistent(three), "", nil, noServer},
		{"empty key, one server left", Hash(three), "", []int{0, 2}, 1},
		{"all ejected", Hash(three), "key", []int{0, 1, 2}, noServer},
		{"ejected by an index that is no server", Hash(three), "key", []int{-1, 3}, pick(t, Hash(three), "key")},
		{"hashing ends, one server left", IPHash(heavy), "192.0.2.1", []int{0}, 1},

		{"no servers", Source(nil), "192.0.2.1", nil, noServer},
		{"not an address", Source(three), "app.example", nil, noServer},
		{"all are out", Source(three), "192.0.2.1", []int{0, 1, 2}, noServer},
		{"one of one is out", Source(named(1)), "192.0.2.1", []int{0}, noServer},

		{"duplicates take turns", Consistent(duplicates), "key-1", []int{2}, noServer},
		{"one duplicate left", Consistent(duplicates), "key-1", []int{2, 0}, 1},
		{"the other duplicate left", Consistent(duplicates), "key-1", []int{2, 1}, 0},
		{"beside the duplicates", Consistent(duplicates), "key-1", []int{0, 1}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := test.picker.Pick(test.key, test.without...)
			if got != test.want || ok != (test.want != noServer) {
				t.Errorf("Pick(%q, %v) = %d, %t, want %d", test.key, test.without, got, ok, test.want)
			}
		})
	}
}

// TestIPHashCountsNetworks: a /24 is one client, and consecutive ones get the servers
// in turn.
func TestIPHashCountsNetworks(t *testing.T) {
	p := IPHash(named(3))
	for _, test := range []struct {
		clients [3]string
		want    [3]int // as in nginx 1.22
	}{
		{[3]string{"203.113.62.1", "203.113.62.77", "203.113.62.255"}, [3]int{2, 2, 2}},
		{[3]string{"203.113.62.1", "203.113.63.1", "203.113.64.1"}, [3]int{2, 0, 1}},
	} {
		var got [3]int
		for i, client := range test.clients {
			got[i] = pick(t, p, client)
		}
		expect.Equal(t, fmt.Sprintf("%v", test.clients), test.want, got)
	}
}

func TestHostPort(t *testing.T) {
	for name, want := range map[string][2]string{
		"10.0.0.1:8080":       {"10.0.0.1", "8080"},
		"10.0.0.1":            {"10.0.0.1", ""},
		"app.example:":        {"app.example", ""},
		"app.example:http":    {"app.example:http", ""},
		"[2001:db8::1]:8080":  {"[2001:db8::1]", "8080"},
		"[2001:db8::1]":       {"[2001:db8::1]", ""},
		"8080":                {"8080", ""},
		"unix:/run/app.sock":  {"/run/app.sock", ""},
		"UNIX:/run/app:1":     {"/run/app:1", ""},
		"unixes.example:8080": {"unixes.example", "8080"},
		"":                    {"", ""},
	} {
		host, port := hostPort(name)
		if got := [2]string{host, port}; got != want {
			t.Errorf("hostPort(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	without := []int{1}
	for _, test := range []struct {
		picker Picker
		key    string
	}{
		{IPHash(named(5)), "203.0.113.62"},
		{IPHash(named(5)), "2001:db8:ccdd:c7:68c6:7b87:bd33:9f2e"},
		{Hash(named(5)), "sess-17a2cb3ef1d4-0123456789abcdef-0123456789abcdef"},
		{Consistent(named(5)), "sess-17a2cb3ef1d4-0123456789abcdef-0123456789abcdef"},
	} {
		if n := testing.AllocsPerRun(100, func() { test.picker.Pick(test.key, without...) }); n != 0 {
			t.Errorf("%T.Pick(%q) allocates %v times", test.picker, test.key, n)
		}
	}
}

// named returns n equal servers.
func named(n int) []Server {
	servers := make([]Server, n)
	for i := range servers {
		servers[i].Name = fmt.Sprintf("10.0.0.%d:8080", i+1)
	}
	return servers
}

// pick returns the server of a key, which must be known.
func pick(t *testing.T, p Picker, key string, without ...int) int {
	t.Helper()
	line, ok := p.Pick(key, without...)
	if !ok {
		t.Fatalf("Pick(%q, %v) is not ok", key, without)
	}
	return line
}

func BenchmarkIPHash(b *testing.B) {
	benchmark(b, IPHash(named(5)), "203.0.113.62")
	benchmark(b, IPHash(named(5)), "2001:db8:ccdd:c7:68c6:7b87:bd33:9f2e")
}

func BenchmarkHash(b *testing.B) {
	benchmark(b, Hash(named(5)), "A5C17B8E02D94F6C8E1B3A7F90D2C4E6")
}

func BenchmarkConsistent(b *testing.B) {
	benchmark(b, Consistent(named(5)), "A5C17B8E02D94F6C8E1B3A7F90D2C4E6")
}

func benchmark(b *testing.B, p Picker, key string) {
	for _, without := range [][]int{nil, {0, 1, 2}} {
		b.Run(fmt.Sprintf("%s without %d", key, len(without)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Pick(key, without...)
			}
		})
	}
}

// A recording is the behaviour of a running nginx or HAProxy.
type recording struct {
	Source string
	Pools  []recordedPool
}

type recordedPool struct {
	Method  string
	Servers []string // absent if the method does not use names
	Weights []int
	Down    []int
	Backup  []int
	Ejected []int
	Cases   []recordedPick
}

// A recordedPick is written [key, node]. Node -1: repeated requests reached different
// nodes, or none.
type recordedPick struct {
	Key  string
	Node int
}

func (p *recordedPick) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[...]any{&p.Key, &p.Node})
}

func (p recordedPool) servers() []Server {
	servers := make([]Server, len(p.Weights))
	for i, weight := range p.Weights {
		servers[i] = Server{
			Weight: weight,
			Down:   slices.Contains(p.Down, i),
			Backup: slices.Contains(p.Backup, i),
		}
		if p.Servers != nil {
			servers[i].Name = p.Servers[i]
		}
	}
	return servers
}

// pickers are the constructors by the names in recordings.
var pickers = map[string]func([]Server) Picker{
	"ip_hash":         IPHash,
	"hash":            Hash,
	"hash_consistent": Consistent,
	"source":          Source,
}

func TestRecordedPicks(t *testing.T) {
	for _, test := range []struct {
		file  string
		cases map[string][]int // number of picks of each pool, in order, so that a truncated file fails
	}{
		{"nginx_balancing.json", map[string][]int{
			"ip_hash":         {40, 40, 40, 40, 40, 40, 40},
			"hash":            {20, 20, 20, 20, 20, 20, 20},
			"hash_consistent": {20, 20, 20, 20, 20, 20, 20},
		}},
		{"nginx_ejection.json", map[string][]int{
			"ip_hash":         slices.Repeat([]int{16}, 16),
			"hash":            slices.Repeat([]int{16}, 16),
			"hash_consistent": slices.Repeat([]int{16}, 16),
		}},
		{"haproxy_source.json", map[string][]int{"source": slices.Repeat([]int{24}, 17)}},
	} {
		t.Run(test.file, func(t *testing.T) {
			r := readRecording(t, test.file)
			cases := make(map[string][]int)
			for _, pool := range r.Pools {
				cases[pool.Method] = append(cases[pool.Method], len(pool.Cases))
				name := fmt.Sprintf("%s %v down %v backup %v ejected %v",
					pool.Method, pool.Weights, pool.Down, pool.Backup, pool.Ejected)
				t.Run(name, func(t *testing.T) { checkPool(t, pool) })
			}
			expect.Equal(t, "number of recorded picks", test.cases, cases)
		})
	}
}

func checkPool(t *testing.T, pool recordedPool) {
	p := pickers[pool.Method](pool.servers())
	for _, want := range pool.Cases {
		node, ok := p.Pick(want.Key, pool.Ejected...)
		if node != want.Node || ok != (want.Node >= 0) {
			t.Errorf("Pick(%q) = %d, %t, the balancer sent it to %d", want.Key, node, ok, want.Node)
		}
	}
}

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must.Succeed(t, err)
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("reading %q: %v", name, err)
	}
	return r
}
