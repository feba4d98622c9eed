package balance_test

import (
	"testing"

	"stickwatch/probes/balance"
)

// BenchmarkSourceClients finds a client for each of 60 servers whose weights have no common divisor.
func BenchmarkSourceClients(b *testing.B) {
	servers := make([]balance.Server, 60)
	for i := range servers {
		servers[i].Weight = 100 + i%50
	}
	for b.Loop() {
		picker := balance.Source(servers)
		for line := range servers {
			if _, ok := balance.ClientFor(picker, line, 1); !ok {
				b.Fatalf("server %d has no client", line)
			}
		}
	}
}
