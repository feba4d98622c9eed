package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"stickwatch/internal/phrase"
)

// fixtures are configurations with their main file. Those named for a product are from
// the product's guide: e-Bridge's cluster guide, Strategy's Collaboration Server,
// Huozige's intelligent cluster, and two guides for Tomcat behind Apache and nginx.
var fixtures = []struct {
	product Product
	file    string
}{
	{Nginx, "testdata/nginx/ebridge/nginx.conf"},
	{Nginx, "testdata/nginx/collaboration/nginx.conf"},
	{Nginx, "testdata/nginx/huozige/nginx.conf"},
	{Nginx, "testdata/nginx/msm/nginx.conf"},
	{Nginx, "testdata/nginx/everything/nginx.conf"},
	{Nginx, "testdata/nginx/dump/dump.txt"},
	{Apache, "testdata/apache/sticky/httpd-vhosts.conf"},
	{Apache, "testdata/apache/plain/httpd-vhosts.conf"},
	{Apache, "testdata/apache/everything/conf/httpd.conf"},
	{HAProxy, "testdata/haproxy/everything/haproxy.cfg"},
	{HAProxy, "testdata/haproxy/stick-table/haproxy.cfg"},
	{Caddy, "testdata/caddy/everything/Caddyfile"},
	{Caddy, "testdata/caddy/single/Caddyfile"},
}

// TestGolden imports every fixture without requests to nodes, and compares the written
// file. It also loads the file, as `stickwatch check` does.
func TestGolden(t *testing.T) {
	for _, f := range fixtures {
		t.Run(strings.ReplaceAll(filepath.Dir(f.file), "testdata/", ""), func(t *testing.T) {
			t.Chdir(filepath.Dir(f.file))
			file := filepath.Base(f.file)
			s, err := Read(f.product, file, Options{})
			must.Succeed(t, err)
			got, err := s.YAML(phrase.Reader{})
			must.Succeed(t, err)
			const golden = "stickwatch.yml"
			expect.Golden(t, golden, string(got))
			for _, secret := range []string{"a-very-secret-key", "admin:secret", "MYKEY"} {
				if strings.Contains(string(got)+strings.Join(append(s.Notes(phrase.Reader{}), s.Guesses(phrase.Reader{})...), "\n"), secret) {
					t.Errorf("the secret %q of the file is written or noted", secret)
				}
			}
			if _, err := config.Load(golden); err != nil {
				t.Errorf("loading %s: %v", golden, err)
			}
		})
	}
}

// TestLineEndsAndEncodings checks that line ends and encodings of editors change
// nothing.
func TestLineEndsAndEncodings(t *testing.T) {
	for _, f := range fixtures {
		data, err := os.ReadFile(f.file)
		must.Succeed(t, err)
		text := string(data)
		want := described(t, f.product, text)
		for name, text := range map[string]string{
			"CRLF":              strings.ReplaceAll(text, "\n", "\r\n"),
			"byte order mark":   "\ufeff" + text,
			"no end":            strings.TrimRight(text, "\n"),
			"GBK in a comment":  text + "\n# \xd6\xd0\xce\xc4\n",
			"tabs":              strings.ReplaceAll(text, "    ", "\t"),
			"blanks at the end": strings.ReplaceAll(text, "\n", " \n"),
		} {
			if name == "blanks at the end" && f.product == Apache {
				continue // a backslash is no longer at the end of its line there
			}
			expect.Equal(t, fmt.Sprintf("%s, %s", f.file, name), want, described(t, f.product, text))
		}
	}
}

// described returns the file written for a configuration without includes.
func described(t *testing.T, p Product, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "conf")
	must.Succeed(t, os.WriteFile(file, []byte(text), 0o644))
	s, err := Read(p, file, Options{})
	if err != nil {
		return strings.ReplaceAll(err.Error(), file, "conf")
	}
	out, err := s.YAML(phrase.Reader{})
	must.Succeed(t, err)
	_, clusters, _ := strings.Cut(string(out), "\nclusters:\n") // above are notes, whose lines are as long as the file's name
	return strings.ReplaceAll(clusters, file, "conf")
}

// TestExplicitDefaults: a server for which the file says what is the default anyway does not differ from others.
func TestExplicitDefaults(t *testing.T) {
	for product, text := range map[Product]string{
		Nginx:  "http { upstream shop { server a:80; server b:80 max_fails=1 fail_timeout=10s; } server { location / { proxy_pass http://shop; } } }",
		Apache: "<Proxy balancer://shop>\nBalancerMember http://a:80\nBalancerMember http://b:80 retry=60\n</Proxy>\nProxyPass / balancer://shop/\n",
	} {
		if got := described(t, product, text); strings.Contains(got, "than the first one") || !strings.Contains(got, "http://b") {
			t.Errorf("%s: got\n%s", product, got)
		}
	}
}

func TestValidAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": true, "10.0.0.1:80": true, "node1": true, "node_1:8080": true, "a.b-c.example:65535": true,
		"[::1]": true, "[2001:db8::1]:80": true, "节点:80": true,
		"": false, ":80": false, "node1:": false, "node1:0": false, "node1:65536": false, "node1:http": false,
		"::1": false, "[::1": false, "::1]": false, "[10.0.0.1]:80": false, "[10.1]0.10.12:8009]:80": false, "[fe80::1%25eth0]": false,
		"a b": false, "a/b": false, "user@host": false, "$host": false, "*": false, "*:80": false, "-a": false,
	} {
		expect.Equal(t, text, want, validAddress(text))
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

// TestMergeKeys: the keys of a mapping override merged ones wherever they are, and the first of
// several merged mappings overrides the others.
func TestMergeKeys(t *testing.T) {
	docs, err := documents("f", "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\none:\n  a: 3\n  <<: *x\nlist:\n  <<: [*x, *y]\n  a: 3\n")
	must.Succeed(t, err)
	for name, want := range map[string]string{"one": "a3 b1 ", "list": "a3 b1 c2 "} {
		merged, got := docs[0].get(name), ""
		for key, v := range merged.entries() {
			got += key + v.text + " "
			expect.Equal(t, name+"."+key, v.text, merged.get(key).text)
		}
		expect.Equal(t, name, want, got)
	}
}
