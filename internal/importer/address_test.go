package importer

import "testing"

func TestValidAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": true, "10.0.0.1:80": true, "node1": true, "node_1:8080": true, "a.b-c.example:65535": true,
		"[::1]": true, "[2001:db8::1]:80": true, "节点:80": true,
		"": false, ":80": false, "node1:": false, "node1:0": false, "node1:65536": false, "node1:http": false,
		"::1": false, "[::1": false, "::1]": false, "[10.0.0.1]:80": false, "[10.1]0.10.12:8009]:80": false, "[fe80::1%25eth0]": false,
		"a b": false, "a/b": false, "user@host": false, "$host": false, "*": false, "*:80": false, "-a": false,
	} {
		if got := validAddress(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestWebAddress(t *testing.T) {
	for _, test := range []struct{ scheme, host, port, want string }{
		{"http", "10.0.0.9", "80", "http://10.0.0.9"},
		{"https", "10.0.0.9", "443", "https://10.0.0.9"},
		{"https", "10.0.0.9", "80", "https://10.0.0.9:80"},
		{"http", "2001:db8::9", "80", "http://[2001:db8::9]"},
		{"http", "2001:db8::9", "81", "http://[2001:db8::9]:81"},
		{"http", "shop", "", "http://shop"},
	} {
		if got := webAddress(test.scheme, test.host, test.port); got != test.want {
			t.Errorf("%s %s %s: got %q, want %q", test.scheme, test.host, test.port, got, test.want)
		}
	}
}
