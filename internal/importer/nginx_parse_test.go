package importer

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNginxPlaces checks positions in messages, although the parser reorders servers
// and upstreams and does not record where blocks begin.
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
	if err != nil {
		t.Fatal(err)
	}
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
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}
