package checks

import "testing"

// TestBalancerLabel: the address of a balancer is shown once.
func TestBalancerLabel(t *testing.T) {
	for name, want := range map[string]string{
		"http://10.0.0.9:8088 10.0.0.9:8088": "http://10.0.0.9:8088",
		"http://10.0.0.9/ 10.0.0.9:80":       "http://10.0.0.9/",
		"https://[::1] [::1]:443":            "https://[::1]",
		"http://lb:8088 10.0.0.9:8088":       "http://lb:8088 10.0.0.9:8088",
		"http://10.0.0.9 10.0.0.8:80":        "http://10.0.0.9 10.0.0.8:80",
		"http://10.0.0.9":                    "http://10.0.0.9",
		"owner of a session":                 "owner of a session",
		"":                                   "",
	} {
		if got := BalancerLabel(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
