package importer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// way returns the route to an upstream in a comparable form: the address of the
// balancer, of the first node, and the page.
func way(t *testing.T, p Product, text string) string {
	t.Helper()
	s, err := read(p, memoryFiles{"conf": text}, "conf", Options{})
	if err != nil {
		return err.Error()
	}
	d := s.candidates[0].draft()
	return fmt.Sprintf("%s -> %s %s", strings.Join(d.URLs, ","), d.Nodes[0].URL, pageOf(s.candidates[0]))
}

// pageOf returns the page of a candidate; "-": none.
func pageOf(c *candidate) string {
	page, ok := c.samplePage()
	if !ok {
		return "-"
	}
	return page.path
}

func TestApacheRoutes(t *testing.T) {
	const balancer = "<Proxy balancer://app>\n BalancerMember http://10.0.0.1\n BalancerMember http://10.0.0.2\n</Proxy>\n"
	for _, test := range []struct{ text, want string }{
		{"Listen 8080\nProxyPass / balancer://app/", "http://127.0.0.1:8080 -> http://10.0.0.1 /"},
		{"Listen 10.0.0.9:8080\nProxyPass / balancer://app/", "http://10.0.0.9:8080 -> http://10.0.0.1 /"},
		{"Listen 80\nServerName shop.example.com:80\nProxyPass / balancer://app/", "http://shop.example.com -> http://10.0.0.1 /"},
		{"Listen 10.0.0.9:80\nProxyPass /shop/ balancer://app/shop/", "http://10.0.0.9 -> http://10.0.0.1 /shop/"},
		{"Listen 10.0.0.9:80\nProxyPass /shop balancer://app/shop", "http://10.0.0.9 -> http://10.0.0.1 /shop"},
		{"Listen 10.0.0.9:80\nProxyPass /shop/ balancer://app/", "http://10.0.0.9/shop -> http://10.0.0.1 /"},
		{"Listen 10.0.0.9:80\nProxyPass /static !\nProxyPass / balancer://app/", "http://10.0.0.9 -> http://10.0.0.1 /"},
		{"Listen 10.0.0.9:80\n<Location /shop/>\nProxyPass balancer://app/v2/\n</Location>", "http://10.0.0.9/shop -> http://10.0.0.1/v2 /"},
		{"Listen 10.0.0.9:80\nProxyPassMatch ^/(.*)$ balancer://app/$1", "http://10.0.0.9 -> http://10.0.0.1 /"},
		{"Listen 10.0.0.9:80\nRewriteRule ^/(.*)$ balancer://app/$1 [P]", "http://10.0.0.9 -> http://10.0.0.1 /"},
		{
			"Listen 80\n<VirtualHost *:443>\nServerName shop.example.com\nSSLEngine on\nProxyPass / balancer://app/\n</VirtualHost>",
			"https://shop.example.com -> http://10.0.0.1 /",
		},
		{"<VirtualHost 10.0.0.9:81>\nProxyPass / balancer://app/\n</VirtualHost>", "http://10.0.0.9:81 -> http://10.0.0.1 /"},
		{"<VirtualHost _default_:81>\nProxyPass / balancer://app/\n</VirtualHost>", "http://127.0.0.1:81 -> http://10.0.0.1 /"},
		{"<VirtualHost [2001:db8::9]:81>\nProxyPass / balancer://app/\n</VirtualHost>", "http://[2001:db8::9]:81 -> http://10.0.0.1 /"},
		{"<IfModule mod_proxy.c>\nListen 82\n<IfDefine !X>\nProxyPass / balancer://app/\n</IfDefine>\n</IfModule>", "http://127.0.0.1:82 -> http://10.0.0.1 /"},
	} {
		if got := way(t, Apache, balancer+test.text+"\n"); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestHAProxyRoutes(t *testing.T) {
	const backend = "backend app\n mode http\n server a 10.0.0.1:80\n server b 10.0.0.2:80\n"
	for _, test := range []struct{ text, want string }{
		{"frontend f\n bind 10.0.0.9:80\n default_backend app", "http://10.0.0.9 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind *:80\n default_backend app", "http://127.0.0.1 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind :::80 v4v6\n default_backend app", "http://127.0.0.1 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind 10.0.0.9:80,10.0.0.9:81\n default_backend app", "http://10.0.0.9,http://10.0.0.9:81 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind 10.0.0.9:443 ssl crt x\n default_backend app", "https://10.0.0.9 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind /run/x.sock\n bind 10.0.0.9:80\n default_backend app", "http://10.0.0.9 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind 10.0.0.9:80\n use_backend app if { path_beg /shop/ }", "http://10.0.0.9 -> http://10.0.0.1:80 /shop/"},
		{"frontend f\n bind 10.0.0.9:80\n acl shop path_beg -i /shop/\n use_backend app if shop", "http://10.0.0.9 -> http://10.0.0.1:80 /shop/"},
		{"frontend f\n bind *:80\n use_backend app if { hdr(host) -i shop.example.com }", "http://shop.example.com -> http://10.0.0.1:80 /"},
		{"frontend f\n bind *:443 ssl\n use_backend app if { ssl_fc_sni shop.example.com }", "https://shop.example.com -> http://10.0.0.1:80 /"},
		{"frontend f\n bind 10.0.0.9:80\n use_backend app if !{ path_beg /shop/ }", "http://10.0.0.9 -> http://10.0.0.1:80 /"},
		{"frontend f\n bind 10.0.0.9:80\n use_backend %[req.hdr(x)]", "http://10.0.0.9 -> http://10.0.0.1:80 -"},
	} {
		if got := way(t, HAProxy, backend+test.text+"\n"); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestCaddyRoutes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"shop.example.com\nreverse_proxy a:1 b:1", "https://shop.example.com -> http://a:1 /"},
		{"http://shop.example.com\nreverse_proxy a:1 b:1", "http://shop.example.com -> http://a:1 /"},
		{":8080 {\nreverse_proxy a:1 b:1\n}", "http://127.0.0.1:8080 -> http://a:1 /"},
		{":8080 {\nbind 10.0.0.9\nreverse_proxy a:1 b:1\n}", "http://10.0.0.9:8080 -> http://a:1 /"},
		{"10.0.0.9:443 {\ntls internal\nreverse_proxy a:1 b:1\n}", "https://10.0.0.9 -> http://a:1 /"},
		{"{\nauto_https off\n}\nshop.example.com {\nreverse_proxy a:1 b:1\n}", "http://shop.example.com -> http://a:1 /"},
		{"http://10.0.0.9 {\nreverse_proxy /shop/* a:1 b:1\n}", "http://10.0.0.9 -> http://a:1 /shop/"},
		{"http://10.0.0.9 {\nhandle_path /shop/* {\nreverse_proxy a:1 b:1\n}\n}", "http://10.0.0.9/shop -> http://a:1 /"},
		{"http://10.0.0.9 {\nhandle /shop* {\nreverse_proxy a:1 b:1\n}\n}", "http://10.0.0.9 -> http://a:1 /shop"},
		{"http://10.0.0.9 {\nroute /shop/* {\nuri strip_prefix /shop\nreverse_proxy a:1 b:1\n}\n}", "http://10.0.0.9/shop -> http://a:1 /"},
		{"http://10.0.0.9 {\n@s {\npath /shop/*\nmethod GET\n}\nreverse_proxy @s a:1 b:1\n}", "http://10.0.0.9 -> http://a:1 /shop/"},
		{"http://10.0.0.9 {\n@s header X y\nreverse_proxy @s a:1 b:1\n}", "http://10.0.0.9 -> http://a:1 -"},
		{"http://10.0.0.9 {\nreverse_proxy {\nto https://a https://b:8443\n}\n}", "http://10.0.0.9 -> https://a:443 /"},
		{"http://10.0.0.9 {\nreverse_proxy a:1 b:1 {\ntransport http {\ntls_insecure_skip_verify\n}\n}\n}", "http://10.0.0.9 -> https://a:1 /"},
		{"http://10.0.0.9 {\nreverse_proxy :1 :2\n}", "http://10.0.0.9 -> http://localhost:1 /"},
		{"http://10.0.0.9 {\nreverse_proxy h2c://a:1 unix//run/x b:1\n}", "http://10.0.0.9 -> http://a:1 /"},
	} {
		if got := way(t, Caddy, test.text+"\n"); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

// TestEjection tests when each product ejects a server, in nginx's terms.
func TestEjection(t *testing.T) {
	for _, test := range []struct {
		product Product
		text    string
		want    string
	}{
		{Nginx, "upstream a { server 10.0.0.1; server 10.0.0.2; }", "1 10s"},
		{Nginx, "upstream a { server 10.0.0.1 max_fails=3 fail_timeout=1m30s; server 10.0.0.2; }", "3 1m30s"},
		{Nginx, "upstream a { server 10.0.0.1 max_fails=0; server 10.0.0.2; }", "0 10s"},
		{Nginx, "upstream a { server 10.0.0.1 fail_timeout=0; server 10.0.0.2; }", "1 1s"},
		{Nginx, "upstream a { server 10.0.0.1 fail_timeout=1500ms; server 10.0.0.2; }", "1 2s"},
		{Apache, "<Proxy balancer://a>\nBalancerMember http://10.0.0.1\nBalancerMember http://10.0.0.2\n</Proxy>", "1 1m"},
		{Apache, "<Proxy balancer://a>\nBalancerMember http://10.0.0.1 retry=5\nBalancerMember http://10.0.0.2\n</Proxy>", "1 5s"},
		{Apache, "<Proxy balancer://a>\nBalancerMember http://10.0.0.1 retry=0\nBalancerMember http://10.0.0.2\n</Proxy>", "0 10s"},
		{HAProxy, "backend a\nmode http\nserver a 10.0.0.1\nserver b 10.0.0.2", "0 10s"},
		{HAProxy, "backend a\nmode http\nserver a 10.0.0.1 check\nserver b 10.0.0.2 check", "3 4s"},
		{HAProxy, "backend a\nmode http\nserver a 10.0.0.1 check inter 10s fall 5 rise 1\nserver b 10.0.0.2", "5 10s"},
		{HAProxy, "backend a\nmode http\ndefault-server check observe layer7 error-limit 7 inter 500\nserver a 10.0.0.1\nserver b 10.0.0.2", "7 1s"},
		{Caddy, ":80\nreverse_proxy a:1 b:1", "0 10s"},
		{Caddy, ":80 {\nreverse_proxy a:1 b:1 {\nfail_duration 45s\n}\n}", "1 45s"},
		{Caddy, ":80 {\nreverse_proxy a:1 b:1 {\nfail_duration 1m\nmax_fails 4\n}\n}", "4 1m"},
		{Caddy, ":80 {\nreverse_proxy a:1 b:1 {\nhealth_uri /up\n}\n}", "1 30s"},
	} {
		s, err := read(test.product, memoryFiles{"conf": test.text + "\n"}, "conf", Options{})
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		d := s.candidates[0].draft()
		if got := fmt.Sprint(d.MaxFails, " ", d.FailTimeout); got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
}

// TestIDs tests the ids of nodes.
func TestIDs(t *testing.T) {
	for _, test := range []struct{ servers, want []string }{
		{[]string{"10.0.0.1:80", "10.0.0.2:80"}, []string{"node1", "node2"}},
		{[]string{"app1.example.com:80", "app2.example.com:80"}, []string{"app1", "app2"}},
		{[]string{"app.one.example.com:80", "app.two.example.com:80"}, []string{"node1", "node2"}},
		{[]string{"app1:80", "10.0.0.2:80"}, []string{"node1", "node2"}},
		{[]string{"localhost:81", "localhost:82"}, []string{"node1", "node2"}},
		{[]string{"web 1=10.0.0.1:80", "web 2=10.0.0.2:80"}, []string{"web-1", "web-2"}},
		{[]string{"web=10.0.0.1:80", "web=10.0.0.2:80"}, []string{"node1", "node2"}},
		{[]string{"a=app1:80", "app2:80"}, []string{"app1", "app2"}},
	} {
		var servers []server
		for _, text := range test.servers {
			name, address, ok := strings.Cut(text, "=")
			if !ok {
				name, address = "", text
			}
			servers = append(servers, server{name: name, address: address})
		}
		if got := serverIDs(servers); !slices.Equal(got, test.want) {
			t.Errorf("%q: %s", test.servers, cmp.Diff(test.want, got))
		}
	}
}
