package importer_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/discovery"
	"stickwatch/internal/expect"
	"stickwatch/internal/importer"
	"stickwatch/internal/lab"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"stickwatch/internal/phrase"
)

// A front is a real balancer with its configuration file.
type front struct{ url, file string }

// fronts are balancers of the lab with the expected clusters.
var fronts = []struct {
	product importer.Product
	start   func(tb testing.TB, nodes []lab.Server) front

	method      probes.Method
	maxFails    int
	failTimeout time.Duration
	client      string
	evidence    func(probes.EvidenceSources) bool
}{
	{
		product: importer.Nginx,
		start: func(tb testing.TB, nodes []lab.Server) front {
			n := lab.Nginx(tb, lab.NginxConfig{Servers: nodes, Method: "ip_hash", RealIP: true, Zone: true, WebSocket: true})
			return front{n.URL(), n.ConfigFile()}
		},
		method: probes.MethodIPHash, maxFails: 3, failTimeout: 20 * time.Second, client: "X-Stickwatch-Client",
		evidence: func(e probes.EvidenceSources) bool { return e.NginxErrorLog != "" },
	},
	{
		product: importer.HAProxy,
		start: func(tb testing.TB, nodes []lab.Server) front {
			h := lab.HAProxy(tb, lab.HAProxyConfig{Servers: nodes, Cookie: "SRV insert indirect nocache", CheckPath: "/status"})
			return front{h.URL(), h.ConfigFile()}
		},
		method: probes.MethodCookie, maxFails: 3, failTimeout: 20 * time.Second,
		evidence: func(e probes.EvidenceSources) bool { return e.HAProxyStats != nil },
	},
	{
		product: importer.Apache,
		start: func(tb testing.TB, nodes []lab.Server) front {
			a := lab.Apache(tb, lab.ApacheConfig{Servers: nodes, StickySession: "JSESSIONID|jsessionid", RouteHeader: true})
			return front{a.URL(), a.ConfigFile()}
		},
		method: probes.MethodCookie, maxFails: 1, failTimeout: 20 * time.Second,
		evidence: func(e probes.EvidenceSources) bool {
			return e.ApacheStatus != nil && e.ApacheBalancerManager != nil
		},
	},
	{
		product: importer.Caddy,
		start: func(tb testing.TB, nodes []lab.Server) front {
			c := lab.Caddy(tb, lab.CaddyConfig{Servers: nodes, Policy: "cookie lb", FailDuration: 20 * time.Second, MaxFails: 3})
			return front{c.URL(), c.ConfigFile()}
		},
		method: probes.MethodCookie, maxFails: 3, failTimeout: 20 * time.Second,
		evidence: func(e probes.EvidenceSources) bool { return e.CaddyAdmin != nil },
	},
}

// TestRealBalancers imports the files of running balancers, sends requests to the
// nodes, and compares the written file with the servers.
func TestRealBalancers(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	for _, f := range fronts {
		t.Run(string(f.product), func(t *testing.T) {
			one, two := newNode(t, "one"), newNode(t, "two")
			started := f.start(t, []lab.Server{
				{Name: "web1", Addr: one.Listener.Addr().String(), MaxFails: 3, FailTimeout: 20 * time.Second, Weight: 2},
				{Name: "web2", Addr: two.Listener.Addr().String(), MaxFails: 3, FailTimeout: 20 * time.Second},
			})
			got, guesses := written(t, f.product, started.file)
			if got.Profile != "generic" || got.Status == nil || got.Session == nil {
				t.Errorf("got profile %q, status %v, session %v, want that of the nodes", got.Profile, got.Status, got.Session)
			}
			b := got.Balancer
			if url := b.URLs[0].String(); len(b.URLs) != 1 || url != started.url {
				t.Errorf("got balancer %q, want %q", url, started.url)
			}
			if b.Method != f.method || b.MaxFails != f.maxFails || b.FailTimeout != f.failTimeout || b.ClientIPHeader != f.client {
				t.Errorf("got method %s, max_fails %d, fail_timeout %s, client_ip_header %q; want %s, %d, %s, %q",
					b.Method, b.MaxFails, b.FailTimeout, b.ClientIPHeader, f.method, f.maxFails, f.failTimeout, f.client)
			}
			if !f.evidence(b.Evidence) {
				t.Errorf("got evidence %+v, want the balancer's own", b.Evidence)
			}
			var urls []string
			for _, n := range got.Nodes {
				urls = append(urls, n.URL.String())
			}
			expect.Equal(t, "nodes", []string{one.URL, two.URL}, urls)
			if weight := got.Nodes[0].Weight; f.product != importer.Caddy && weight != 2 {
				t.Errorf("got weight %d, want 2", weight)
			}
			if slices.ContainsFunc(guesses, func(g string) bool { return !strings.Contains(g, "client_ip_header") }) {
				t.Errorf("got guesses %q, want none but on who is believed", guesses)
			}
		})
	}
}

// TestDumpOfNginx imports the output of a real `nginx -T` from standard input.
func TestDumpOfNginx(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	one, two := newNode(t, "one"), newNode(t, "two")
	n := lab.Nginx(t, lab.NginxConfig{Method: "ip_hash", Servers: []lab.Server{
		{Addr: one.Listener.Addr().String()}, {Addr: two.Listener.Addr().String()},
	}})
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // as found by lab.Require
	}
	dump, err := exec.CommandContext(t.Context(), program, "-T", "-q", "-c", n.ConfigFile()).Output()
	if err != nil {
		t.Fatalf("nginx -T: %v", err)
	}
	s, err := importer.Read(importer.Nginx, "-", importer.Options{Stdin: bytes.NewReader(dump)})
	must.Succeed(t, err)
	text, err := s.YAML(phrase.Reader{})
	must.Succeed(t, err)
	for _, want := range []string{"from standard input", "url: " + n.URL(), "url: " + one.URL + "}", "# " + n.ConfigFile() + ":"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got\n%s\nwant it to have %q", text, want)
		}
	}
}

// written returns the only cluster of a file, and its guesses.
func written(t *testing.T, p importer.Product, file string) (*probes.Cluster, []string) {
	t.Helper()
	s, err := importer.Read(p, file, importer.Options{})
	must.Succeed(t, err)
	s.Ask(t.Context())
	text, err := s.YAML(phrase.Reader{})
	must.Succeed(t, err)
	cfg, err := config.Parse("stickwatch.yml", text, func(string) (string, bool) { return "", false })
	must.Succeed(t, err)
	if len(cfg.Clusters) != 1 {
		t.Fatalf("got %d clusters, want 1:\n%s", len(cfg.Clusters), text)
	}
	return cfg.Clusters[0], s.Guesses(phrase.Reader{})
}

// newNode starts an application of the generic profile.
func newNode(t *testing.T, name string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"state":"running"}`) })
	mux.HandleFunc("/cluster/test", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"node":"`+name+`","session":"abc"}`)
	})
	node := httptest.NewServer(mux)
	t.Cleanup(node.Close)
	return node
}

// TestTomcatsFromApacheToVerdict imports httpd.conf, sends requests to two real
// Tomcats, and checks that a round finds the cluster healthy and sessions replicated.
func TestTomcatsFromApacheToVerdict(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	var members []lab.Server
	for _, tomcat := range lab.Tomcats(t, lab.TomcatConfig{Nodes: []string{"tomcat1", "tomcat2"}, Replicate: true}) {
		members = append(members, lab.Server{Name: tomcat.Name(), Addr: tomcat.Addr()})
	}
	apache := lab.Apache(t, lab.ApacheConfig{Servers: members, StickySession: "JSESSIONID|jsessionid"})
	cluster, guesses := written(t, importer.Apache, apache.ConfigFile())
	if cluster.Profile != "tomcat" || cluster.Nodes[0].ID != "tomcat1" {
		t.Errorf("got profile %q, first node %q, want tomcat, tomcat1", cluster.Profile, cluster.Nodes[0].ID)
	}
	if cluster.Session.Policy != probes.PolicyReplicated || len(guesses) > 0 {
		t.Errorf("got policy %s, guesses %q; want replicated, as was tried", cluster.Session.Policy, guesses)
	}
	report := checks.Judge(new(monitor.Prober).Round(t.Context(), cluster))
	if report.Verdict != checks.Healthy {
		t.Errorf("got verdict %s, want healthy: %+v", report.Verdict, report.Findings)
	}
}

// TestSetUps goes from the file of a balancer to a healthy round, for set-ups that people
// have, without an edit of the written file.
func TestSetUps(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real servers")
	}
	jsp := map[string]string{"stickwatch-test.jsp": testPage(t, "jsp")}
	tomcats := func(t *testing.T, address func(*lab.Tomcat) string) (members []lab.Server, pages []string) {
		for _, tomcat := range lab.Tomcats(t, lab.TomcatConfig{Nodes: []string{"tomcat1", "tomcat2"}, Pages: jsp}) {
			members = append(members, lab.Server{Name: tomcat.Name(), Addr: address(tomcat)})
			pages = append(pages, tomcat.Addr())
		}
		return members, pages
	}
	for _, setUp := range []struct {
		name    string
		profile string
		policy  probes.Policy
		read    func(t *testing.T) *importer.Import
	}{
		{"nginx and Tomcat", "tomcat", probes.PolicySticky, func(t *testing.T) *importer.Import {
			members, _ := tomcats(t, (*lab.Tomcat).Addr)
			return imported(t, importer.Nginx, lab.Nginx(t, lab.NginxConfig{Servers: members, Method: "ip_hash", RealIP: true}).ConfigFile())
		}},
		{"HAProxy and Express", "generic", probes.PolicySticky, func(t *testing.T) *importer.Import {
			var members []lab.Server
			for _, name := range []string{"web1", "web2"} {
				members = append(members, lab.Server{Name: name, Addr: lab.Express(t, lab.ExpressConfig{ID: "app-" + name}).Addr()})
			}
			return imported(t, importer.HAProxy, lab.HAProxy(t, lab.HAProxyConfig{Servers: members, Cookie: "SRV insert indirect nocache"}).ConfigFile())
		}},
		{"HAProxy and Express, found by DNS", "generic", probes.PolicySticky, func(t *testing.T) *importer.Import {
			zone := lab.NewZone(t, "app.lab")
			_, port, _ := net.SplitHostPort(lab.FreeAddr(t))
			var hosts []string
			for _, host := range []string{"127.0.4.1", "127.0.4.2"} {
				lab.Express(t, lab.ExpressConfig{ID: "app-" + host, Addr: net.JoinHostPort(host, port)})
				hosts = append(hosts, host)
			}
			zone.Set(hosts...)
			return imported(t, importer.HAProxy, lab.HAProxy(t, lab.HAProxyConfig{
				Cookie: "SRV insert indirect nocache dynamic",
				ExtraBackend: "\n    dynamic-cookie-key lab\n    option httpchk GET /status\n    server-template web 4 app.lab:" + port +
					" resolvers lab init-addr none check inter 200ms\nresolvers lab\n    nameserver lab " + zone.Addr(),
			}).ConfigFile())
		}},
		{"httpd and AJP", "tomcat", probes.PolicySticky, func(t *testing.T) *importer.Import {
			members, pages := tomcats(t, (*lab.Tomcat).AJP)
			found := imported(t, importer.Apache, lab.Apache(t, lab.ApacheConfig{Servers: members, Scheme: "ajp", StickySession: "JSESSIONID|jsessionid"}).ConfigFile())
			for q, ok := found.Question(); ok; q, ok = found.Question() {
				if _, node, ok := strings.Cut(q.Key, "nodes.tomcat"); ok {
					must.Succeed(t, q.Answer("http://"+pages[node[0]-'1']))
				}
			}
			if !found.Moved() {
				t.Error("the answers do not count as new addresses")
			}
			return found
		}},
		{"Caddy and PHP", "generic", probes.PolicySticky, func(t *testing.T) *importer.Import {
			var members []lab.Server
			for _, name := range []string{"one", "two"} {
				members = append(members, lab.Server{Name: name, Addr: lab.PHP(t, lab.PHPConfig{ID: name, Strict: true}).Addr()})
			}
			return imported(t, importer.Caddy, lab.Caddy(t, lab.CaddyConfig{Servers: members, Policy: "cookie lb"}).ConfigFile())
		}},
		{"Traefik, played by HAProxy", "generic", probes.PolicyReplicated, func(t *testing.T) *importer.Import {
			var members []lab.Server
			var urls strings.Builder
			shared := t.TempDir()
			for _, name := range []string{"one", "two"} {
				addr := lab.PHP(t, lab.PHPConfig{ID: name, Files: shared}).Addr()
				members = append(members, lab.Server{Name: name, Addr: addr})
				fmt.Fprintf(&urls, "          - url: http://%s\n", addr)
			}
			front := lab.HAProxy(t, lab.HAProxyConfig{Servers: members, Cookie: "SRV insert indirect nocache"}).URL()
			file := filepath.Join(t.TempDir(), "dynamic.yml")
			if err := os.WriteFile(file, []byte("http:\n  routers:\n    shop:\n      rule: PathPrefix(`/`)\n      service: shop\n  services:\n    shop:\n"+
				"      loadBalancer:\n        sticky: {cookie: {name: lb}}\n        servers:\n"+urls.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := importer.Read(importer.Traefik, file, importer.Options{Balancer: []string{front}})
			must.Succeed(t, err)
			return found
		}},
	} {
		t.Run(setUp.name, func(t *testing.T) {
			t.Parallel()
			found := setUp.read(t)
			found.Ask(t.Context())
			text, err := found.YAML(phrase.Reader{})
			must.Succeed(t, err)
			cfg, err := config.Parse("stickwatch.yml", text, os.LookupEnv)
			must.Succeed(t, err)
			cluster := cfg.Clusters[0]
			if from, ok := cfg.NodesFrom(cluster.Name); ok {
				source := discovery.New(from, cluster)
				listed, err := source.Ask(t.Context())
				must.Succeed(t, err)
				cluster = cfg.WithNodes(cluster.Name, source, listed).Clusters[0]
			}
			if cluster.Profile != setUp.profile || cluster.Session == nil || cluster.Session.Policy != setUp.policy || cluster.Session.Write == "" {
				t.Errorf("got profile %q and session %+v, want %s, %s with a counter", cluster.Profile, cluster.Session, setUp.profile, setUp.policy)
			}
			report := checks.Judge(new(monitor.Prober).Round(t.Context(), cluster))
			if report.Verdict != checks.Healthy || report.Session.Sticky != checks.Yes {
				t.Errorf("got %s, sticky %s: %+v\n%s", report.Verdict, report.Session.Sticky, report.Findings, text)
			}
		})
	}
}

func imported(t *testing.T, p importer.Product, file string) *importer.Import {
	t.Helper()
	found, err := importer.Read(p, file, importer.Options{})
	must.Succeed(t, err)
	return found
}

// testPage returns the page in a language that operators paste.
func testPage(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/test-pages.md")
	must.Succeed(t, err)
	_, rest, _ := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, ok := strings.Cut(rest, "\n```\n")
	if !ok {
		t.Fatalf("there is no page in %s", language)
	}
	return code + "\n"
}
