package balance

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A block is a random upstream block, and a client of it.
type block struct {
	method  string
	servers []Server
	picker  Picker
	key     string
	without []int
}

func drawBlock(t *rapid.T, methods ...string) block {
	b := block{
		method:  rapid.SampledFrom(methods).Draw(t, "method"),
		servers: named(rapid.IntRange(2, 9).Draw(t, "servers")),
	}
	for i := range b.servers {
		s := &b.servers[i]
		s.Weight = rapid.IntRange(0, 20).Draw(t, "weight")
		s.Down = rapid.IntRange(0, 4).Draw(t, "down") == 0
		s.Backup = rapid.IntRange(0, 6).Draw(t, "backup") == 0
	}
	b.picker = pickers[b.method](b.servers)
	b.key = drawKey(t, b.method)
	b.without = rapid.SliceOfDistinct(rapid.IntRange(0, len(b.servers)-1), rapid.ID[int]).Draw(t, "without")
	return b
}

func drawKey(t *rapid.T, method string) string {
	if method != "ip_hash" && method != "source" {
		return rapid.String().Draw(t, "key")
	}
	length := rapid.SampledFrom([]int{4, 16}).Draw(t, "length")
	addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, "client"))
	return addr.String()
}

func TestPickIsAlive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t, "ip_hash", "hash", "hash_consistent", "source")
		line, ok := b.picker.Pick(b.key, b.without...)
		if !ok {
			if line != noServer {
				t.Errorf("Pick = %d, and not ok", line)
			}
			return
		}
		if b.servers[line].Down || slices.Contains(b.without, line) {
			t.Errorf("Pick = %d, which gets no clients", line)
		}
		spare := func(s Server) bool { return !s.Backup && !s.Down }
		for other, s := range b.servers {
			if b.servers[line].Backup && spare(s) && !slices.Contains(b.without, other) {
				t.Errorf("Pick = %d, a backup, while %d is alive", line, other)
			}
		}
	})
}

// TestEjectionMovesOwnClients: ejecting a server moves its own clients and no others.
func TestEjectionMovesOwnClients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t, "ip_hash", "hash", "hash_consistent")
		own, ok := b.picker.Pick(b.key)
		if !ok || slices.Contains(b.without, own) {
			t.Skip("its own server is ejected")
		}
		if line, ok := b.picker.Pick(b.key, b.without...); !ok || line != own {
			t.Errorf("Pick without %v = %d, %t, want %d as before", b.without, line, ok, own)
		}
	})
}

// TestDownIsEjected: a server that is down and one that is ejected are skipped alike.
func TestDownIsEjected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t, "ip_hash", "hash", "hash_consistent")
		line, ok := b.picker.Pick(b.key, b.without...)
		down := slices.Clone(b.servers)
		for _, l := range b.without {
			down[l].Down = true
		}
		if l, o := pickers[b.method](down).Pick(b.key); l != line || o != ok {
			t.Errorf("with %v down: %d, %t, ejected: %d, %t", b.without, l, o, line, ok)
		}
	})
}

func TestSyntheticRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t, "ip_hash", "hash", "hash_consistent")
		server := rapid.SampledFrom(b.alive()).Draw(t, "server")
		n := rapid.IntRange(0, 5).Draw(t, "n")
		client, ok := ClientFor(b.picker, server, n)
		if !ok {
			t.Skip("too small a share")
		}
		if line, ok := b.picker.Pick(client.String()); !ok || line != server {
			t.Errorf("Pick(%v) = %d, %t, want %d", client, line, ok, server)
		}
		if next, ok := ClientFor(b.picker, server, n+1); ok && netip.PrefixFrom(client, 24).Contains(next) {
			t.Errorf("ClientFor(%d, %d) = %v, ClientFor(%[1]d, %[4]d) = %v: the same /24", server, n, client, n+1, next)
		}
		if b.method == "ip_hash" {
			return
		}
		key, _ := KeyFor(b.picker, server, n)
		if line, ok := b.picker.Pick(key); !ok || line != server {
			t.Errorf("Pick(%q) = %d, %t, want %d", key, line, ok, server)
		}
	})
}

// alive returns the primaries that are not down, or 0 if there are none.
func (b block) alive() []int {
	var alive []int
	for line, s := range b.servers {
		if !s.Down && !s.Backup {
			alive = append(alive, line)
		}
	}
	if alive == nil {
		return []int{0}
	}
	return alive
}
