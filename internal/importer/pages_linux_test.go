package importer_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"stickwatch/internal/config"
	"stickwatch/internal/importer"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"stickwatch/internal/phrase"
)

// A realServer starts a balancer with a configuration from testdata/kinds.
type realServer struct {
	program string
	listens *regexp.Regexp // addresses in the file; the last group is the port
	command func(dir, file string) []string
	before  string // lines that the configuration needs
	after   string
	atLeast int // pages that must be checked
}

var realServers = map[importer.Product]realServer{
	importer.Nginx: {
		program: "nginx", listens: regexp.MustCompile(`(?m)(\blisten )()(\d+)`),
		command: func(dir, file string) []string { return []string{"-p", dir, "-c", file, "-e", "error.log"} },
		before:  "daemon off; pid nginx.pid; events {} http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;",
		after:   "}", atLeast: 18,
	},
	importer.HAProxy: {
		program: "haproxy", listens: regexp.MustCompile(`(?m)(^ *(?:bind|frontend \w+|listen \w+) )(\S*):(\d+)\b`),
		command: func(_, file string) []string { return []string{"-db", "-f", file} }, atLeast: 24,
	},
	importer.Apache: {
		program: "apache2", listens: regexp.MustCompile(`(?m)(^ *(?:<VirtualHost|Listen) )(\S*):(\d+)`),
		command: func(_, file string) []string { return []string{"-X", "-f", file} }, atLeast: 15,
	},
	importer.Caddy: {
		program: "caddy", listens: regexp.MustCompile(`(?m)^(?:http://)?((?:[\w.-]+\.example\.org)?)()(?::(\d+))? \{$`),
		command: func(_, file string) []string { return []string{"run", "--config", file, "--adapter", "caddyfile"} }, atLeast: 8,
	},
}

// TestPagesReachNodes starts the real balancers with the configurations of testdata/kinds,
// on loopback, and requests each page that init writes: it must be answered by a node of
// its cluster, with the path that a direct request to the node would have.
func TestPagesReachNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	for product, server := range realServers {
		lab.Require(t, server.program)
		names, err := filepath.Glob(filepath.Join("testdata/kinds", string(product), "*.txtar"))
		must.Succeed(t, err)
		checked := 0
		for i, name := range names {
			t.Run(string(product)+"/"+strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
				checked += server.check(t, product, name, fmt.Sprintf("127.%d.%d.1", 90+len(server.program), i+1))
			})
		}
		if checked < server.atLeast {
			t.Errorf("%s: got %d pages, want at least %d", product, checked, server.atLeast)
		}
	}
}

// notHere matches configurations that need more than the balancer and loopback: TLS,
// certificates, names, sockets, other modules or editions, and those that it refuses.
var notHere = regexp.MustCompile(`\bssl\b|https|SSLEngine|\btls\b|mptcp|PROXY|proxy_protocol|send-proxy|proto h2|h2c|fcgi|unix|\{\{|\{%|\$\{?[A-Z]|@\w+@|<node|resolve|by_lua|_hash|vnswrr|fair|upsync|grpc|uwsgi|fastcgi|ajp|\bstream\b|\.internal|0\.0\.0\.[01]:|localhost|backup|Use Site|\.map\)|quantum|env\.|\{\$|dynamic|lb_policy nearest|mode tcp|no-mode|:5432|:5672|:6379|frontend main \*|listen web 0|CANARY|(?m)^192|\bstate /|\{block\}|\{args\[:|sticky route|cookie NODE rewrite`)

// check returns the number of pages that were requested.
func (s realServer) check(t *testing.T, product importer.Product, name, host string) int {
	archive, err := txtar.ParseFile(name)
	must.Succeed(t, err)
	text := string(archive.Files[0].Data)
	if archive.Files[len(archive.Files)-1].Name != "stickwatch.yml" || len(archive.Files) > 2 || notHere.MatchString(text) || !s.listens.MatchString(text) {
		return 0
	}
	text = s.onLoopback(product, text, host)
	dir := t.TempDir()
	file := filepath.Join(dir, archive.Files[0].Name)
	must.Succeed(t, os.WriteFile(file, []byte(s.before+text+s.after+"\n"), 0o600))
	found, err := importer.Read(product, file, importer.Options{})
	must.Succeed(t, err)
	written, err := found.YAML(phrase.Reader{})
	must.Succeed(t, err)
	cfg, err := config.Parse("stickwatch.yml", written, os.LookupEnv)
	must.Succeed(t, err)
	listening := map[string]bool{}
	for _, c := range cfg.Clusters {
		for _, n := range c.Nodes {
			if !listening[n.URL.Host] {
				listening[n.URL.Host] = true
				echo(t, n.URL.Host)
			}
		}
	}
	port := cfg.Clusters[0].Balancer.URLs[0].Port()
	args := s.command(dir, file)
	if product == importer.Apache {
		args = append(args, "-c", "PidFile "+filepath.Join(dir, "pid"))
	}
	path, err := lookPath(s.program)
	must.Succeed(t, err)
	lab.Run(t, lab.Command{Name: s.program, Path: path, Args: args, Dir: dir, Env: []string{"HOME=" + dir}, Addr: net.JoinHostPort(host, port)})
	checked := 0
	for _, c := range cfg.Clusters {
		for _, page := range c.Pages {
			requestPage(t, c, page.Path, host)
			checked++
		}
	}
	return checked
}

// onLoopback moves the addresses of a configuration to loopback: nodes to 127/8, and all
// ports of the balancer to one address, above 10000.
func (s realServer) onLoopback(product importer.Product, text, host string) string {
	text = regexp.MustCompile(`\b10\.(\d+\.\d+\.\d+)`).ReplaceAllString(text, "127.$1")
	text = regexp.MustCompile(`(127\.\d+\.\d+\.\d+:)(80|81|90)\b`).ReplaceAllString(text, "${1}110$2")
	seen := map[string]bool{}
	text = s.listens.ReplaceAllStringFunc(text, func(line string) string {
		m := s.listens.FindStringSubmatch(line)
		port := fmt.Sprintf("1%04s", m[3])
		seen[port] = true
		if product == importer.Caddy {
			return "http://" + m[1] + ":10080 {\n\tbind " + host
		}
		return m[1] + host + ":" + port
	})
	switch product {
	case importer.Caddy:
		return "{\n\tadmin off\n\tauto_https off\n}\n" + text
	case importer.Apache:
		var out strings.Builder
		fmt.Fprintf(&out, "ServerRoot /\nServerName 127.0.0.1\nErrorLog /dev/stderr\nMutex pthread default\n")
		if os.Geteuid() == 0 {
			fmt.Fprintf(&out, "User www-data\nGroup www-data\n")
		}
		for _, module := range []string{"mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm", "rewrite", "headers", "env", "macro", "alias"} {
			fmt.Fprintf(&out, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", module, module)
		}
		for port := range seen {
			if !strings.Contains(text, "Listen "+host) {
				fmt.Fprintf(&out, "Listen %s:%s\n", host, port)
			}
		}
		return out.String() + text
	}
	return text
}

// requestPage requests a page of a cluster through the balancer at an address.
func requestPage(t *testing.T, c *probes.Cluster, path, host string) {
	t.Helper()
	at := c.Balancer.URLs[0]
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, at.Port()), Path: at.Path + path}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.String(), nil)
	must.Succeed(t, err)
	req.Host = at.Hostname() // as if the port were published as the usual one
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	resp.Body.Close()
	for _, n := range c.Nodes {
		if n.URL.Host == resp.Header.Get("X-Node") && strings.ReplaceAll(resp.Header.Get("X-Path"), "//", "/") == n.URL.Path+path {
			return
		}
	}
	t.Errorf("%s: %s with the host %s: got status %d of the node %q with the path %q, want a node of the cluster with %s",
		c.Name, target.Path, req.Host, resp.StatusCode, resp.Header.Get("X-Node"), resp.Header.Get("X-Path"), c.Nodes[0].URL.Path+path)
}

// echo starts a node that answers with its address and the path.
func echo(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must.Succeed(t, err)
	node := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Node", address)
		w.Header().Set("X-Path", r.URL.Path)
	})}
	go func() { _ = node.Serve(l) }()
	t.Cleanup(func() { node.Close() })
}

// lookPath finds a server, which may be outside the PATH of normal users.
func lookPath(program string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, program), nil
		}
	}
	return "", fmt.Errorf("looking for %s: %w", program, os.ErrNotExist)
}
