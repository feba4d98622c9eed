package redis

import (
	"testing"
)

// FuzzReplies: whatever a server sends, and however it comes in pieces, the guard
// lets no more be announced, and no deeper nested, than it may be.
func FuzzReplies(f *testing.F) {
	for _, reply := range []string{
		"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n", "+PONG\r\n", "-ERR unknown command 'HELLO'\r\n", "%1\r\n+k\r\n%16384\r\n",
		"*-1\r\n$-1\r\n", "|1\r\n+k\r\n+v\r\n>2\r\n+a\r\n:1\r\n", "$5\r\n*9\r\n1\r\n=8\r\ntxt:abcd\r\n(99999999999999999999\r\n",
	} {
		f.Add(reply, 3)
	}
	f.Fuzz(func(t *testing.T, reply string, piece int) {
		var whole, pieces guard
		err := whole.scan([]byte(reply))
		var bad error
		for rest := []byte(reply); len(rest) > 0 && bad == nil; {
			n := min(max(1, piece), len(rest))
			bad = pieces.scan(rest[:n])
			rest = rest[n:]
		}
		if (err == nil) != (bad == nil) {
			t.Errorf("got %v at once and %v in pieces", err, bad)
		}
		if err == nil && (whole.announced > maxAnnounced || len(whole.open) > maxDepth) {
			t.Errorf("got %d announced and %d deep", whole.announced, len(whole.open))
		}
	})
}
