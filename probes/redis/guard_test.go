package redis

import (
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		ok     bool
	}{
		"replies":             {"*2\r\n$5\r\nhello\r\n:7\r\n+PONG\r\n$-1\r\n*-1\r\n%1\r\n+a\r\n_\r\n", true},
		"length in a string":  {"$13\r\n\n$1099511627776"[:17] + "\r\n+PONG\r\n", true},
		"length after string": {"$1\r\naXX*1099511627776\r\n", false},
		"no number":           {"$many\r\n", false},
		"negative":            {"$-9\r\n*1099511627776\r\n", false},
	} {
		for _, chunk := range []int{1, 3, len(tc.stream)} {
			var g guard
			var err error
			for rest := tc.stream; rest != "" && err == nil; rest = rest[min(chunk, len(rest)):] {
				err = g.scan([]byte(rest[:min(chunk, len(rest))]))
			}
			if (err == nil) != tc.ok {
				t.Errorf("%s, read by %d: got %v", name, chunk, err)
			}
		}
	}
}

func TestGuardFarewell(t *testing.T) {
	for said, want := range map[string]string{
		"-ERR max number of clients reached\r\n": "ERR max number of clients reached",
		"-ERR unknown command 'HELLO'\r\n":       "",
		"+OK\r\n":                                "",
	} {
		var g guard
		if err := g.scan([]byte(said)); err != nil {
			t.Fatal(err)
		}
		if got := g.farewell(); got != want {
			t.Errorf("after %q: got %q, want %q", strings.TrimSpace(said), got, want)
		}
	}
}
