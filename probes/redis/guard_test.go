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
		"deep":                {strings.Repeat("*1\r\n", maxDepth) + "+a\r\n" + strings.Repeat("%1\r\n+k\r\n", maxDepth) + "+v\r\n", true},
		"too deep":            {strings.Repeat("*1\r\n", maxDepth+1), false},
		"attributes":          {strings.Repeat("|0\r\n", maxDepth) + "+a\r\n|1\r\n+k\r\n+v\r\n+a\r\n", true},
		"too many attributes": {strings.Repeat("|0\r\n", maxDepth+1), false},
		"too much":            {strings.Repeat("$4000\r\n"+strings.Repeat("x", 4000)+"\r\n", 5), false},
		"too many":            {strings.Repeat("%3000\r\n"+strings.Repeat("+\r\n", 6000), 3), false},
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
		if got := g.lastError(); got != want {
			t.Errorf("after %q: got %q, want %q", strings.TrimSpace(said), got, want)
		}
	}
}
