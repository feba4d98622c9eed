package lab

import (
	"net"
	"testing"
)

func TestFreeAddrIsReserved(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 50 {
		addr := FreeAddr(t)
		if seen[addr] {
			t.Errorf("FreeAddr gave %s twice", addr)
		}
		seen[addr] = true
		if _, ok := reserve(addr); ok {
			t.Errorf("%s is reserved, but could be reserved again", addr)
		}
		listener, err := net.Listen("tcp4", addr)
		if err != nil {
			t.Errorf("listening on a free address: %v", err)
			continue
		}
		listener.Close()
	}
}

// TestFreeAddrIsReleased is not parallel: a process forked by another test has the lock for
// a moment, too.
func TestFreeAddrIsReleased(t *testing.T) {
	var addr string
	t.Run("inner", func(t *testing.T) { addr = FreeAddr(t) })
	release, ok := reserve(addr)
	if !ok {
		t.Fatalf("%s is still reserved after its test", addr)
	}
	release()
}
