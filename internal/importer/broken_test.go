package importer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
)

// broken are invalid files with the exact error messages. Further files begin with a
// line "-- NAME".
var broken = []struct {
	name    string
	product Product
	text    string
	want    string
}{
	{"nothing in it", Nginx, "events {}\n", `conf: there is no upstream with servers in it (it has events)`},
	{"upstreams elsewhere", Nginx, "http { include sites/shop.conf; }\n", `conf: there is no upstream with servers in it (conf:1: there is no sites/shop.conf: its contents are missing here)`},
	{"missing semicolon", Nginx, "upstream a {\n  server 10.0.0.1\n  server 10.0.0.2;\n}\n", `conf:2: server "10.0.0.1": invalid parameter "server": is a ";" missing, or is it from a document?`},
	{"semicolon forgotten before a brace", Nginx, "upstream a {\n  server 10.0.0.1:80\n}\n", `conf:2: there is a "}" where a ";" should end "server"`},
	{"ip_hash without a semicolon", Nginx, "upstream a {\n  ip_hash\n  server 10.0.0.1;\n}\n", `conf:2: invalid number of arguments in "ip_hash": expected at most 0, got 2: is a ";" missing?`},
	{"unclosed block", Nginx, "http {\n  upstream a {\n    server 10.0.0.1;\n", `conf:2: the file ends where a "}" should close "upstream"`},
	{"stray brace", Nginx, "upstream a { server 10.0.0.1; }\n}\n", `conf:2: unexpected "}": there is no block to close`},
	{"unclosed quote", Nginx, "http {\n  log_format x 'a;\n}\n", `conf:2: the quote ' is never closed`},
	{"unclosed Lua", Nginx, "http {\n  init_by_lua_block {\n    x = \"}\"\n", `conf:2: the file ends where a "}" should close "init_by_lua_block"`},
	{"block without a name", Nginx, "http {\n  { }\n}\n", `conf:2: unexpected "{": a block needs a name before it`},
	{"full-width punctuation", Nginx, "upstream a {\n  server 10.0.0.1；\n}\n", `conf:2: "10.0.0.1；" has a full-width punctuation mark, which is none to nginx`},
	{"copied from a document", Nginx, "upstream a {\n  server 10.0.0.1 max\\_fails=30;\n  `proxy_pass x;\n}\n", `conf:3: a backquote, which nginx has no use for: is it left over from a document?`},
	{"escaped by a document", Nginx, "upstream a {\n  server 172.31.12.135:8101 max\\_fails=30 fail\\_timeout=20s;\n}\n", `conf:2: server "172.31.12.135:8101": invalid parameter "max\_fails=30": is a ";" missing, or is it from a document?`},
	{"no address", Nginx, "upstream a {\n  server 10.0.0.1:port;\n}\n", `conf:2: server: expected HOST or HOST:PORT, got "10.0.0.1:port"`},
	{"no weight", Nginx, "upstream a {\n  server 10.0.0.1 weight=0;\n}\n", `conf:2: server "10.0.0.1": "weight=0": expected a whole number, at least 1`},
	{"no time", Nginx, "upstream a {\n  server 10.0.0.1 fail_timeout=soon;\n}\n", `conf:2: server "10.0.0.1": "fail_timeout=soon": expected a time, such as 20s`},
	{"backup under ip_hash", Nginx, "upstream a {\n  ip_hash;\n  server 10.0.0.1;\n  server 10.0.0.2 backup;\n}\n", `conf:4: server "10.0.0.2": "backup": the method ip_hash does not support it, and nginx refuses to start`},
	{"twice", Nginx, "upstream a { server 10.0.0.1; server 10.0.0.2; }\nupstream a { server 10.0.0.3; server 10.0.0.4; }\n", `conf:2: the upstream "a" is at conf:1 already`},
	{"a circle", Nginx, "include conf.d/*;\n-- conf.d/a\ninclude conf;\n", `conf.d/a:1: conf includes itself, by way of conf, conf.d/a`},
	{"an error in an include", Nginx, "http {\n  include sites/*;\n}\n-- sites/shop\nupstream a {\n", `sites/shop:1: the file ends where a "}" should close "upstream"`},
	{"only down", Nginx, "upstream a { server 10.0.0.1 down; server 10.0.0.2 down; }\n", `conf: no upstream can be watched: upstream a (conf:1) has no server that gets clients: all are down or backup`},
	{"binary", Nginx, "\n\x00\x01", `conf:2: a NUL byte: expected a text in UTF-8`},

	{"nothing in it", Apache, "Listen 80\n", `conf: there is no balancer with servers in it (it has Listen)`},
	{"unclosed section", Apache, "Listen 80\n<Proxy balancer://a>\n  BalancerMember http://10.0.0.1\n", `conf:2: <proxy> is never closed`},
	{"closed by another", Apache, "<VirtualHost *:80>\n<Proxy balancer://a>\n</VirtualHost>\n", `conf:3: </virtualhost> where </proxy> should close the section of line 2`},
	{"closes nothing", Apache, "Listen 80\n</Proxy>\n", `conf:2: </proxy> closes nothing`},
	{"no end of a section's line", Apache, "<Proxy balancer://a\n", `conf:1: "<Proxy balancer://a" has no ">" at its end`},
	{"a document's lines run together", Apache, "<VirtualHost *:80>    ProxyRequests Off    ProxyPass / balancer://a/ </VirtualHost>\n", `conf:1: <VirtualHost> continues after its ">": were line ends lost?`},
	{"unclosed quote", Apache, "ServerRoot \"/etc/httpd\n", `conf:1: the quote " is never closed`},
	{"no address", Apache, "<Proxy balancer://a>\n  BalancerMember 10.0.0.1:80\n</Proxy>\n", `conf:2: BalancerMember: expected SCHEME://HOST:PORT, got "10.0.0.1:80"`},
	{"no load factor", Apache, "<Proxy balancer://a>\n  BalancerMember http://10.0.0.1 loadfactor=1000\n</Proxy>\n", `conf:2: BalancerMember "10.0.0.1": "loadfactor=1000": expected a number from 1 to 100`},

	{
		"two bad servers", Traefik, "http:\n  services:\n    a:\n      loadBalancer:\n        servers:\n          - url: 10.0.0.1:80\n          - url: ftp://10.0.0.2\n",
		`conf:6: url: expected SCHEME://HOST:PORT, got "10.0.0.1:80"` + "\n" + `conf:7: url: expected http://, https:// or h2c://, got "ftp://10.0.0.2"`,
	},

	{"nothing in it", HAProxy, "global\n  maxconn 10\n", `conf: there is no backend with servers in it (it has global)`},
	{"before any section", HAProxy, "server a 10.0.0.1:80\n", `conf:1: "server" is outside of a section: expected global, defaults, frontend, backend or listen`},
	{"no name", HAProxy, "backend\n  server a 10.0.0.1:80\n", `conf:1: backend needs a name`},
	{"unclosed quote", HAProxy, "backend a\n  server \"a 10.0.0.1:80\n", `conf:2: the quote " is never closed`},
	{"no address", HAProxy, "backend a\n  server a\n", `conf:2: server: expected NAME ADDRESS, got 1 arguments`},
	{"no interval", HAProxy, "backend a\n  server a 10.0.0.1:80 check inter soon\n", `conf:2: server "a": inter "soon": expected a time, such as 20s`},

	{"an open .if", HAProxy, "global\n.if defined(A)\n maxconn 1\n", `conf:2: the .if is never closed by an .endif`},
	{"a stray .else", HAProxy, "global\n.else\n", `conf:2: .else without an .if`},

	{"nothing in it", Caddy, "example.com {\n  respond hello\n}\n", `conf: there is no reverse_proxy with servers in it (it has respond)`},
	{"unclosed block", Caddy, "example.com {\n  reverse_proxy a:1 b:1 {\n}\n", `conf:1: the file ends where a "}" should close "example.com"`},
	{"stray brace", Caddy, "example.com\n}\n", `conf:2: unexpected "}": there is no block to close`},
	{"unclosed quote", Caddy, "example.com\nrespond \"hello\n", `conf:2: the quote " is never closed`},
	{"unended text", Caddy, "example.com\nrespond <<HTML\n  hello\n", `conf:2: the text that "<<HTML" begins is never ended by HTML`},
	{"brace in a line", Caddy, "example.com { respond hello }\n", `conf:1: a "{" must end its line, and a "}" must be alone on its line`},
	{"no count", Caddy, "example.com {\n  reverse_proxy a:1 b:1 {\n    max_fails few\n  }\n}\n", `conf:3: max_fails "few": expected a whole number, at least 1`},
	{"a circle of snippets", Caddy, "(a) {\n  import a\n}\nexample.com {\n  import a\n}\n", `conf:2: more than 20 blocks or snippets in each other`},
}

func TestBroken(t *testing.T) {
	for _, test := range broken {
		t.Run(string(test.product)+" "+test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFiles(t, "conf", test.text)
			s, err := Read(test.product, "conf", Options{})
			if err == nil {
				t.Fatalf("got clusters %q, want an error", s.Clusters())
			}
			if err.Error() != test.want {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

// writeFiles writes the file of that name and those after "-- NAME" lines.
func writeFiles(t *testing.T, name, text string) {
	t.Helper()
	for i, part := range strings.Split(text, "-- ") {
		if i > 0 {
			name, part, _ = strings.Cut(part, "\n")
		}
		must.Succeed(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must.Succeed(t, os.WriteFile(name, []byte(part), 0o644))
	}
}

// TestCopiedFromTheWeb checks files copied from guides on the web, which have lost line
// ends or gained marks of the publisher.
func TestCopiedFromTheWeb(t *testing.T) {
	t.Chdir("testdata/broken")
	for file, want := range map[string]string{
		"httpd-vhosts.conf":     `httpd-vhosts.conf:1: <VirtualHost> continues after its ">": were line ends lost?`,
		"huozige.conf":          `huozige.conf:1: "upstream hq-a-server" has a blank that is none to nginx (U+00A0 or U+3000): is it left over from a document?`,
		"huozige-location.conf": `huozige-location.conf:6: a backquote, which nginx has no use for: is it left over from a document?`,
		"tomcats.conf":          `tomcats.conf: there is no upstream with servers in it (tomcats.conf:1: a comment of 1546 bytes has statements in it: were line ends lost?)`,
	} {
		product := Nginx
		if strings.HasPrefix(file, "httpd") {
			product = Apache
		}
		if _, err := Read(product, file, Options{}); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", file, err, want)
		}
	}
	s, err := Read(Nginx, "lb_tomcat.conf", Options{}) // on one line, and complete
	if err != nil || len(s.Clusters()) != 1 || s.Clusters()[0] != "tomcat-lb" {
		t.Errorf("lb_tomcat.conf: got %v, %v, want tomcat-lb", s, err)
	}
}

// TestRefusedCluster checks that a cluster with a value that no configuration may have is
// written as a comment, and that it takes no other cluster with it.
func TestRefusedCluster(t *testing.T) {
	const broken, good = "a.example.org {\n\treverse_proxy {\n\t\tdynamic a web.in}tern 80\n\t}\n}\n",
		"b.example.org {\n\treverse_proxy 10.50.0.11:80 10.50.0.12:80\n}\n"
	imp, err := read(Caddy, memoryFiles{"conf": broken + good}, "conf", Options{})
	must.Succeed(t, err)
	text, err := imp.YAML(phrase.Reader{})
	must.Succeed(t, err)
	if got := imp.Clusters(); len(got) != 1 || !strings.Contains(strings.Join(imp.Guesses(phrase.Reader{}), "\n"), "nodes_from.dns.name: expected a DNS name") {
		t.Errorf("complete: %q, guesses: %q\n%s", got, imp.Guesses(phrase.Reader{}), text)
	}

	imp, err = read(Caddy, memoryFiles{"conf": broken}, "conf", Options{})
	must.Succeed(t, err)
	if text, err := imp.YAML(phrase.Reader{}); err == nil || !strings.Contains(err.Error(), "no upstream can be watched") {
		t.Errorf("YAML() = %s, %v", text, err)
	}
}
