package lab

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCaddyAcceptsEveryOption starts Caddy with every option, stops it and starts it
// again.
func TestCaddyAcceptsEveryOption(t *testing.T) {
	t.Parallel()
	tests := map[string]CaddyConfig{
		"nothing":     {},
		"ip_hash":     {Policy: "ip_hash", FailDuration: 30 * time.Second, MaxFails: 2},
		"cookie":      {Policy: "cookie lb", FailDuration: time.Second, Retries: 1},
		"round robin": {Policy: "round_robin"},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.Servers = nodes(t, "node1")
			c := Caddy(t, config)
			family := descendants(t, c.PID())
			got := []string{askRoot(t, c.Process)}
			c.Stop()
			checkGone(t, "stopped", c.Process, family)
			c.Start()
			got = append(got, askRoot(t, c.Process))
			if diff := cmp.Diff([]string{"node1", "node1"}, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCaddyCookie(t *testing.T) {
	t.Parallel()
	c := Caddy(t, CaddyConfig{Servers: nodes(t, "node1", "node2"), Policy: "cookie lb"})
	response, first := get(t, c.URL())
	lb := cookie(response, "lb")
	if lb == "" {
		t.Fatal("the first answer sets no cookie lb")
	}
	for range 4 {
		if _, body := get(t, c.URL(), "Cookie", "lb="+lb); body != first {
			t.Errorf("%q answers the cookie of %q", body, first)
		}
	}
}
