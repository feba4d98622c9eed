package importer

import (
	"fmt"
	"slices"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestNginxWords checks words as nginx reads them.
func TestNginxWords(t *testing.T) {
	for text, want := range map[string][]string{
		`a b;`:                         {"a", "b"},
		`a "b c" 'd;{}';`:              {"a", "b c", "d;{}"},
		`a "b\"c" 'd\'e' f\\g;`:        {"a", `b"c`, "d'e", `f\g`},
		`location ~ ^/v\d\{1,2\}/x {}`: {"location", "~", `^/v\d\{1,2\}/x`},
		`location ~ ^/x}y {}`:          {"location", "~", "^/x}y"},
		`location ~ "^/v\d{1,2}/x" {}`: {"location", "~", `^/v\d{1,2}/x`},
		`set $a ${b}c;`:                {"set", "$a", "${b}c"},
		`if ($a ~ \;) {}`:              {"if", "($a", "~", `\;)`},
		`server {{ host }}:80;`:        {"server", "{{ host }}:80"},
		`server <%= host %>:80;`:       {"server", "<%= host %>:80"},
		`a b#c # d` + "\n;":            {"a", "b#c"},
	} {
		tree, _, err := parseNginx("f", text)
		if err != nil || len(tree) != 1 {
			t.Errorf("%s: got %v, %v", text, tree, err)
			continue
		}
		if got := append([]string{tree[0].name}, tree[0].args...); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// TestNginxPlaces checks positions in messages.
func TestNginxPlaces(t *testing.T) {
	const text = `http {
    server {
        location / {
            proxy_pass http://b;
        }
        listen 80;
    }
    types { text/html html; }
    upstream b {
        least_conn;
        server 10.0.0.1;
        # a comment
        server 10.0.0.2;
        keepalive 3;
    }
    init_by_lua_block {
        local x = "}"
    }
    server {
        listen 81;
        location /a { if ($x) { return 403; } proxy_pass http://c; }
    }
    upstream c { server 10.0.0.3; }
}
`
	tree, _, err := parseNginx("f", text)
	must.Succeed(t, err)
	got := map[string]bool{}
	var walk func([]directive)
	walk = func(tree []directive) {
		for _, d := range tree {
			got[fmt.Sprintf("%d %s %s", d.line, d.name, d.arg(0))] = true
			walk(d.block)
		}
	}
	walk(tree)
	want := map[string]bool{}
	for _, line := range []string{
		"1 http ", "2 server ", "3 location /", "4 proxy_pass http://b", "6 listen 80", "8 types ", "8 text/html html",
		"9 upstream b", "10 least_conn ", "11 server 10.0.0.1", "13 server 10.0.0.2", "14 keepalive 3", "16 init_by_lua_block ",
		"19 server ", "20 listen 81", "21 location /a", "21 if ($x)", "21 return 403", "21 proxy_pass http://c", "23 upstream c", "23 server 10.0.0.3",
	} {
		want[line] = true
	}
	expect.Equal(t, "places", want, got)
}

// TestNginxRoutes tests locations that lead to an upstream: the paths at the balancer
// and at a node for the same page.
func TestNginxRoutes(t *testing.T) {
	for _, test := range []struct {
		location  string
		balancer  string // prefix of all paths; "-": the upstream is not reached
		node      string
		firstPage string
	}{
		{`location / { proxy_pass http://app; }`, "", "", "/"},
		{`location / { proxy_pass http://app/; }`, "", "", "/"},
		{`location / { proxy_pass http://app$request_uri; }`, "", "", "/"},
		{`location / { proxy_pass http://app/shop/; }`, "", "/shop", "/"},
		{`location /shop/ { proxy_pass http://app; }`, "", "", "/shop/"},
		{`location /shop/ { proxy_pass http://app/; }`, "/shop", "", "/"},
		{`location ^~ /shop/ { proxy_pass http://app/shop/; }`, "", "", "/shop/"},
		{`location /shop/ { proxy_pass http://app/v2/shop/; }`, "/shop", "/v2/shop", "/"},
		{`location = /ping { proxy_pass http://app; }`, "", "", "/ping"},
		{`location = /ping { proxy_pass http://app; } location /a/ { proxy_pass http://app; }`, "", "", "/a/"},
		{`location ~ \.jsp$ { proxy_pass http://app; }`, "", "", "/index.jsp"},
		{`location /a { location /a/b { proxy_pass http://app; } }`, "", "", "/a/b"},
		{`location / { if ($arg_x) { proxy_pass http://app; } }`, "", "", "-"},
		{`location /old/ { rewrite ^/old/(.*) /$1 break; proxy_pass http://app; }`, "/old", "", "/"},
		{`location / { set $target app; proxy_pass http://$target; }`, "", "", "/"},
		{`set $target app; location /x/ { proxy_pass http://$target/; }`, "", "", "-"},
		{`location / { proxy_pass http://$host; }`, "-", "", "/"},
		{`location / { proxy_pass http://10.0.0.7:80; }`, "-", "", "/"},
	} {
		text := "upstream app { server 10.0.0.1; server 10.0.0.2; }\nserver { listen 10.0.0.9:80; " + test.location + " }\n"
		s, err := read(Nginx, memoryFiles{"conf": text}, "conf", Options{})
		if err != nil {
			t.Errorf("%s: %v", test.location, err)
			continue
		}
		candidate := s.candidates[0]
		if reached := candidate.site.frontends[0].url == "http://10.0.0.9"; reached != (test.balancer != "-") {
			t.Errorf("%s: got frontends %v", test.location, candidate.site.frontends)
		}
		got := []string{candidate.base.path, candidate.nodes[0].URL, pageOf(candidate)}
		want := []string{test.balancer, "http://10.0.0.1" + test.node, test.firstPage}
		if test.balancer == "-" {
			got, want = got[1:], want[1:]
		}
		expect.Equal(t, test.location, want, got)
	}
}

// TestNginxListens tests the addresses of servers.
func TestNginxListens(t *testing.T) {
	for _, test := range []struct {
		server string
		want   []string
	}{
		{``, []string{"http://127.0.0.1"}},
		{`listen 8088;`, []string{"http://127.0.0.1:8088"}},
		{`listen 8088; server_name shop.example.com;`, []string{"http://shop.example.com:8088"}},
		{`listen 10.0.0.9:80; server_name shop.example.com;`, []string{"http://shop.example.com"}},
		{`listen 10.0.0.9:80; listen 10.0.0.10:80;`, []string{"http://10.0.0.9", "http://10.0.0.10"}},
		{`listen 80; listen [::]:80;`, []string{"http://127.0.0.1"}},
		{`listen [2001:db8::9]:8080;`, []string{"http://[2001:db8::9]:8080"}},
		{`listen 80; listen 443 ssl; server_name shop.example.com;`, []string{"https://shop.example.com"}},
		{`listen 80; listen 443 ssl;`, []string{"http://127.0.0.1"}},
		{`listen 443 quic; listen 443 ssl; server_name shop.example.com;`, []string{"https://shop.example.com"}},
		{`listen 443; ssl on; server_name *.example.com www.example.com;`, []string{"https://www.example.com"}},
		{`listen unix:/run/nginx.sock;`, []string{"http://127.0.0.1"}},
		{`listen 80; server_name _ localhost ~^a$ "";`, []string{"http://127.0.0.1"}},
	} {
		text := "upstream app { server 10.0.0.1; server 10.0.0.2; }\nserver { " + test.server + " location / { proxy_pass http://app; } }\n"
		s, err := read(Nginx, memoryFiles{"conf": text}, "conf", Options{})
		if err != nil {
			t.Errorf("%s: %v", test.server, err)
			continue
		}
		var got []string
		for _, front := range s.candidates[0].site.frontends {
			got = append(got, front.url)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.server, got, test.want)
		}
	}
}
