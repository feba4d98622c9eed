package lab

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

// TestLifecycle starts every server, sends a request, stops it without leaving a
// process, starts it again on the same port with its data, and kills it.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start func(testing.TB) *Process
		ask   func(testing.TB, *Process) string
		want  []string // at first, after a restart, and after a kill
	}{
		{
			name: "nginx",
			start: func(tb testing.TB) *Process {
				return Nginx(tb, NginxConfig{Servers: nodes(tb, "node1"), Workers: 2}).Process
			},
			ask:  askRoot,
			want: []string{"node1", "node1", "node1"},
		},
		{
			name: "haproxy",
			start: func(tb testing.TB) *Process {
				return HAProxy(tb, HAProxyConfig{Servers: nodes(tb, "node1")}).Process
			},
			ask:  askRoot,
			want: []string{"node1", "node1", "node1"},
		},
		{
			name: "apache",
			start: func(tb testing.TB) *Process {
				return Apache(tb, ApacheConfig{Servers: nodes(tb, "node1")}).Process
			},
			ask:  askRoot,
			want: []string{"node1", "node1", "node1"},
		},
		{
			name:  "redis",
			start: func(tb testing.TB) *Process { return Redis(tb).Process },
			ask: func(tb testing.TB, p *Process) string {
				return sendText(tb, p, "AUTH "+Password+"\r\nINCR visits\r\nQUIT\r\n")
			},
			want: []string{"+OK\r\n:1\r\n+OK\r\n", "+OK\r\n:2\r\n+OK\r\n", "+OK\r\n:2\r\n+OK\r\n"}, // it saves when it stops,
		},
		{
			name:  "memcached",
			start: func(tb testing.TB) *Process { return Memcached(tb).Process },
			ask: func(tb testing.TB, p *Process) string {
				return sendText(tb, p, "add visits 0 0 1\r\n1\r\nincr visits 1\r\nquit\r\n")
			},
			want: []string{"STORED\r\n2\r\n", "STORED\r\n2\r\n", "STORED\r\n2\r\n"}, // it has no persistence
		},
		{
			name:  "mariadb",
			start: func(tb testing.TB) *Process { return MariaDB(tb).Process },
			ask: func(tb testing.TB, p *Process) string {
				host, port, _ := net.SplitHostPort(p.Addr())
				return client(tb, "mariadb", "--no-defaults", "--protocol=tcp", "-h"+host, "-P"+port, "-u"+User, "-p"+Password,
					"-BN", User, "-e", countVisits)
			},
			want: []string{"1\n", "2\n", "3\n"},
		},
		{
			name:  "postgres",
			start: func(tb testing.TB) *Process { return Postgres(tb).Process },
			ask: func(tb testing.TB, p *Process) string {
				return client(tb, "psql", "-XAqt", "-d", "postgres://"+User+":"+Password+"@"+p.Addr()+"/postgres", "-c", countVisits)
			},
			want: []string{"1\n", "2\n", "3\n"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := test.start(t)
			addr := server.Addr()
			got := []string{test.ask(t, server)}

			family := descendants(t, server.PID())
			server.Stop()
			checkGone(t, "stopped", server, family)

			server.Start()
			got = append(got, test.ask(t, server))

			family = descendants(t, server.PID())
			server.Kill()
			checkGone(t, "killed", server, family)

			server.Start()
			got = append(got, test.ask(t, server))
			expect.Equal(t, "answers", test.want, got)
			if server.Addr() != addr {
				t.Errorf("it listens on %s after all that, on %s before", server.Addr(), addr)
			}
		})
	}
}

const countVisits = `CREATE TABLE IF NOT EXISTS visits (n INT);
INSERT INTO visits VALUES (1);
SELECT COUNT(*) FROM visits;`

// nodes starts a node per name, which answers every request with its name and accepts
// upgrades.
func nodes(tb testing.TB, names ...string) []Server {
	tb.Helper()
	var servers []Server
	for _, name := range names {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				w.Header().Set("Connection", "Upgrade")
				w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
				w.Header().Set("Sec-WebSocket-Accept", webSocketAccept)
				w.WriteHeader(http.StatusSwitchingProtocols)
				return
			}
			io.WriteString(w, name)
		}))
		tb.Cleanup(node.Close)
		servers = append(servers, Server{Name: name, Addr: node.Listener.Addr().String()})
	}
	return servers
}

// get requests a page over a new connection, with headers in pairs.
func get(tb testing.TB, url string, headers ...string) (response *http.Response, body string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	must.Succeed(tb, err)
	request.Close = true
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err = http.DefaultClient.Do(request)
	must.Succeed(tb, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatalf("reading %q: %v", url, err)
	}
	return response, string(content)
}

func askRoot(tb testing.TB, p *Process) string {
	tb.Helper()
	_, body := get(tb, "http://"+p.Addr()+"/")
	return body
}

// sendText sends text to a server that closes the connection at its end.
func sendText(tb testing.TB, p *Process, text string) string {
	tb.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	must.Succeed(tb, err)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		tb.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	must.Succeed(tb, err)
	return string(answer)
}

func client(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	var problems strings.Builder
	cmd := exec.CommandContext(tb.Context(), program(tb, name), args...)
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		tb.Fatalf("running %q: %v\n%s", name, err, problems.String())
	}
	return string(output)
}

// TestDependencies checks that every store is up, is down when it is stopped, is up
// when it is started, times out when it is suspended, and rejects a wrong password with
// an error that does not contain it.
func TestDependencies(t *testing.T) {
	for _, tc := range []struct {
		name     string
		start    func(testing.TB) *Dependency
		ping     probes.Pinger
		password bool // it requires a password
	}{
		{"redis", Redis, redis.Ping, true},
		{"memcached", Memcached, memcached.Ping, false},
		{"mariadb", MariaDB, mysql.Ping, true},
		{"postgres", Postgres, postgres.Ping, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := tc.start(t)
			ask := func(u *url.URL, within time.Duration) probes.DependencyObservation {
				d := probes.Dependency{Name: tc.name, URL: u}
				return d.Ask(t.Context(), tc.ping, within)
			}
			u := must.URL(store.URL())
			expect := func(when string, got probes.DependencyObservation, up bool) {
				t.Helper()
				if got.Up != up {
					t.Errorf("%s: got up %v (%s), want %v", when, got.Up, got.Error, up)
				}
				if strings.Contains(got.Error, Password) || strings.Contains(got.Error, "wrong-word") {
					t.Errorf("%s: %q holds a password", when, got.Error)
				}
			}
			expect("started", ask(u, 10*time.Second), true)
			if tc.password {
				wrong := *u
				wrong.User = url.UserPassword(u.User.Username(), "wrong-word")
				expect("asked with a wrong password", ask(&wrong, 10*time.Second), false)
			}
			store.Suspend()
			expect("frozen", ask(u, 500*time.Millisecond), false)
			store.Resume()
			store.Stop()
			expect("stopped", ask(u, 10*time.Second), false)
			store.Start()
			expect("started again", ask(u, 10*time.Second), true)
		})
	}
}

// TestPlainDependencies tests tcp and http, which need no driver.
func TestPlainDependencies(t *testing.T) {
	store := Memcached(t)
	u := must.URL("tcp://" + store.Addr())
	if err := probes.PingTCP(t.Context(), u); err != nil {
		t.Errorf("a port that listens: got %v, want nil", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := probes.PingHTTP(ctx, must.URL("http://"+store.Addr()+"/")); err == nil {
		t.Error("memcached asked over HTTP: got nil, want an error")
	}
}
