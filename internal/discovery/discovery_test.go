package discovery

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// shown returns a line for each node.
func shown(nodes []probes.Node) (lines []string) {
	for _, n := range nodes {
		line := n.ID + " " + n.URL.String()
		if n.Host != "" {
			line += " as " + n.Host
		}
		if n.Server != "" {
			line += " named " + n.Server
		}
		lines = append(lines, line)
	}
	return lines
}

// want checks an answer, or the error of a failure.
func want(t *testing.T, d *Discovery, failure string, nodes ...string) {
	t.Helper()
	got, err := d.Ask(t.Context())
	if failure == "" && err != nil || failure != "" && (err == nil || !strings.Contains(err.Error(), failure)) {
		t.Errorf("got error %v, want %q", err, failure)
	}
	expect.Equal(t, "nodes", nodes, shown(got))
	if state := d.State(); (state.Error != "") != (failure != "") || state.Failing.IsZero() != (failure == "") || state.Nodes != len(nodes) {
		t.Errorf("got state %+v", state)
	}
}

// listenBoth returns listeners on one port that is free for UDP and TCP.
func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		must.Succeed(t, err)
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// nameserver serves records on loopback by UDP and TCP, and returns its address.
func nameserver(t testing.TB, answer func(dns.Question, *dns.Msg)) string {
	t.Helper()
	udp, tcp := listenBoth(t)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		reply := new(dns.Msg).SetReply(r)
		answer(r.Question[0], reply)
		if _, byUDP := w.RemoteAddr().(*net.UDPAddr); byUDP {
			reply.Truncate(1232)
		}
		_ = w.WriteMsg(reply)
	})
	for _, server := range []*dns.Server{{PacketConn: udp, Handler: handler}, {Listener: tcp, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		t.Cleanup(func() { server.Shutdown() })
	}
	return udp.LocalAddr().String()
}

func records(t testing.TB, lines ...string) (list []dns.RR) {
	t.Helper()
	for _, line := range lines {
		r, err := dns.NewRR(line)
		must.Succeed(t, err)
		list = append(list, r)
	}
	return list
}

func TestDNS(t *testing.T) {
	zone := map[string][]dns.RR{
		"app.internal. A":              records(t, "app.internal. 30 IN CNAME pods.internal.", "pods.internal. 7 IN A 127.0.0.3", "pods.internal. 7 IN A 127.0.0.2", "pods.internal. 7 IN A 127.0.0.2"),
		"six.internal. AAAA":           records(t, "six.internal. 0 IN AAAA ::1"),
		"_http._tcp.app.internal. SRV": records(t, "_http._tcp.app.internal. 600 IN SRV 0 0 8080 app-1.app.internal.", "_http._tcp.app.internal. 600 IN SRV 0 0 8080 app-0.app.internal."),
		"app-0.app.internal. A":        records(t, "app-0.app.internal. 5 IN A 127.0.0.10"),
		"app-1.app.internal. AAAA":     records(t, "app-1.app.internal. 5 IN AAAA ::1"),
		"two.internal. SRV":            records(t, "two.internal. 5 IN SRV 0 0 81 app-0.app.internal.", "two.internal. 5 IN SRV 0 0 80 app-0.app.internal."),
		"blocked.internal. A":          records(t, "blocked.internal. 5 IN A 127.0.0.1", "blocked.internal. 5 IN A 0.0.0.0"),
		"group.internal. A":            records(t, "group.internal. 5 IN A 224.0.0.1"),
		"bare.internal. SRV":           records(t, "bare.internal. 5 IN SRV 0 0 81 empty.internal."),
		"lost.internal. SRV":           records(t, "lost.internal. 5 IN SRV 0 0 81 gone.internal."),
	}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("many.internal. 5 IN A 127.0.1.%d", i))
	}
	zone["many.internal. A"] = records(t, many...)
	var mu sync.Mutex // of zone
	server := nameserver(t, func(q dns.Question, reply *dns.Msg) {
		mu.Lock()
		defer mu.Unlock()
		list, ok := zone[q.Name+" "+dns.TypeToString[q.Qtype]]
		switch reply.Answer = list; {
		case q.Name == "broken.internal.":
			reply.Rcode = dns.RcodeServerFailure
		case !ok && q.Name == "gone.internal.":
			reply.Rcode = dns.RcodeNameError
		}
	})
	discovery := func(name, kind string, port int) *Discovery {
		return New(config.NodesFrom{DNS: &config.DNSName{Name: name, Type: kind, Port: port, Server: server}, Scheme: "http"}, new(probes.Cluster))
	}
	d := discovery("app.internal", "A", 80)
	want(t, d, "", "127.0.0.2:80 http://127.0.0.2:80", "127.0.0.3:80 http://127.0.0.3:80")
	if got := d.State(); got.Interval != 7*time.Second || got.Name != "dns A app.internal" {
		t.Errorf("got %+v, want the TTL of 7s", got)
	}
	d = discovery("six.internal", "AAAA", 8080)
	want(t, d, "", "[::1]:8080 http://[::1]:8080")
	if got := d.State().Interval; got != withoutTTL {
		t.Errorf("got interval %v, want %v for a TTL of 0", got, withoutTTL)
	}
	d = discovery("_http._tcp.app.internal", "SRV", 0)
	want(t, d, "",
		"app-0.app.internal http://127.0.0.10:8080 as app-0.app.internal:8080",
		"app-1.app.internal http://[::1]:8080 as app-1.app.internal:8080")
	if got := d.State().Interval; got != mostTTL {
		t.Errorf("got interval %v, want at most %v", got, mostTTL)
	}
	want(t, discovery("two.internal", "SRV", 0), "",
		"app-0.app.internal:80 http://127.0.0.10:80 as app-0.app.internal:80",
		"app-0.app.internal:81 http://127.0.0.10:81 as app-0.app.internal:81")
	want(t, discovery("lost.internal", "SRV", 0), "the target of an SRV record: the name gone.internal. does not exist in DNS (NXDOMAIN)")
	want(t, discovery("bare.internal", "SRV", 0), "empty.internal. of an SRV record has no address")
	want(t, discovery("blocked.internal", "A", 80), "0.0.0.0 is the address of no machine")
	want(t, discovery("group.internal", "A", 80), "224.0.0.1 is the address of no machine")
	want(t, discovery("empty.internal", "A", 80), "lists 0 nodes, want at least 1")
	want(t, discovery("broken.internal", "A", 80), "got SERVFAIL")
	want(t, discovery("gone.internal", "A", 80), "the name gone.internal does not exist in DNS (NXDOMAIN)")
	if nodes, err := discovery("many.internal", "A", 80).Ask(t.Context()); len(nodes) != 200 || err != nil {
		t.Errorf("got %d nodes, %v: want 200 by TCP", len(nodes), err)
	}

	d = discovery("app.internal", "A", 80)
	want(t, d, "", "127.0.0.2:80 http://127.0.0.2:80", "127.0.0.3:80 http://127.0.0.3:80")
	mu.Lock()
	delete(zone, "app.internal. A") // an empty answer leaves the list in use
	mu.Unlock()
	want(t, d, "lists 0 nodes", "127.0.0.2:80 http://127.0.0.2:80", "127.0.0.3:80 http://127.0.0.3:80")
}

func TestFile(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must.Succeed(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ofFile := func(path string) *Discovery {
		return New(config.NodesFrom{File: path, Scheme: "http", MinNodes: 2}, new(probes.Cluster))
	}
	path := write("a.json", `[{"targets": ["10.0.0.2:80", "app1"]}, {"targets": ["[::1]:8443"], "labels": {"__scheme__": "https", "env": "prod"}}]`)
	d := ofFile(path)
	want(t, d, "", "10.0.0.2:80 http://10.0.0.2:80", "app1:80 http://app1:80", "[::1]:8443 https://[::1]:8443")
	kept := []string{"10.0.0.2:80 http://10.0.0.2:80", "app1:80 http://app1:80", "[::1]:8443 https://[::1]:8443"}
	for text, failure := range map[string]string{
		`[{"targets": ["10.0.0.2:80"]}]`:                             "lists 1 nodes, want at least 2",
		`[{"targets": ["10.0.0.2:80", "x"`:                           "no list of target groups",
		`[{"targets": ["a/b:80", "x"]}]`:                             "is no host:port",
		`[{"targets": ["a:0", "x"]}]`:                                "is no host:port",
		`[{"targets": ["user@a:80", "x"]}]`:                          "is no host:port",
		`[null]`:                                                     "null",
		`[{"targets": ["a", "b"], "labels": {"__scheme__": "ftp"}}]`: `the scheme "ftp"`,
		strings.Repeat(" ", maxAnswer+1):                             "longer than",
	} {
		write("a.json", text)
		want(t, d, failure, kept...)
	}
	must.Succeed(t, os.Remove(path))
	want(t, d, "no such file", kept...)
	want(t, ofFile(write("b.yml", "- targets: [b:80, a:80, b:80]\n")), "", "b:80 http://b:80", "a:80 http://a:80")
	want(t, ofFile(write("c.yml", "- target: [b:80]\n")), "field target not found")
}

// TestHungFile: a file system that does not answer delays nobody, gets one reader, and its
// answer is used when it comes.
func TestHungFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	must.Succeed(t, os.WriteFile(path, []byte(`[{"targets": ["10.0.0.2:80"]}]`), 0o600))
	synctest.Test(t, func(t *testing.T) {
		var readers atomic.Int32
		answer := make(chan struct{})
		source := &fileSource{path: path, reading: panics.NewRunner(), nodes: nodeTemplate{scheme: "http"}, stat: func(path string) (os.FileInfo, error) {
			readers.Add(1)
			<-answer
			return os.Stat(path)
		}}
		d := &Discovery{least: 1, wake: make(chan struct{}, 1), asking: make(chan struct{}, 1), ask: source.ask}
		began := time.Now()
		if nodes, err := d.Begin(t.Context(), time.Second); len(nodes) > 0 || err == nil || err.Error() != "no answer within 1s" || time.Since(began) != time.Second {
			t.Errorf("got %v, %v after %v, want an error after a second", nodes, err, time.Since(began))
		}
		time.Sleep(askTimeout)
		want(t, d, "its file system: ")
		if n := readers.Load(); n != 1 {
			t.Errorf("got %d readers, want 1", n)
		}
		close(answer)
		want(t, d, "", "10.0.0.2:80 http://10.0.0.2:80")
	})
}

func TestHTTP(t *testing.T) {
	status, body := 200, `[{"targets": ["b:80", "a:80"]}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	u := must.URL(server.URL + "/sd?token=geheim12")
	d := New(config.NodesFrom{HTTP: u, Scheme: "https"}, new(probes.Cluster))
	want(t, d, "", "b:80 https://b:80", "a:80 https://a:80")
	status = 503
	want(t, d, "got HTTP status 503", "b:80 https://b:80", "a:80 https://a:80")
	status, body = 200, "<html>"
	want(t, d, "no list of target groups in JSON", "b:80 https://b:80", "a:80 https://a:80")
	server.Close()
	want(t, d, "connection refused", "b:80 https://b:80", "a:80 https://a:80")
	if state := d.State(); strings.Contains(state.Name+state.Error, "geheim") {
		t.Errorf("the state shows the secret: %+v", state)
	}
}

func TestBalancer(t *testing.T) {
	page := "# pxname,svname,status,type,addr\napp,BACKEND,UP,1,\napp,s1,UP,2,10.0.0.1:80\napp,s2,MAINT (resolution),2,10.0.0.9:80\napp,s3,MAINT,2,\napi,x,UP,2,10.0.0.5:80\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
	defer server.Close()
	u := must.URL(server.URL)
	cluster := &probes.Cluster{Balancer: probes.Balancer{URLs: []*url.URL{u}, Evidence: probes.EvidenceSources{HAProxyStats: u}}}
	want(t, New(config.NodesFrom{Balancer: true, Scheme: "http"}, cluster), "servers of app, api: choose one by pool")
	d := New(config.NodesFrom{Balancer: true, Pool: "app", Scheme: "http"}, cluster)
	want(t, d, "", "10.0.0.1:80 http://10.0.0.1:80 named s1")
	rows := []string{"# pxname,svname,status,type,addr"}
	for i := range 1001 {
		rows = append(rows, fmt.Sprintf("app,s%d,UP,2,10.0.%d.%d:80", i, i/250, i%250))
	}
	page = strings.Join(rows, "\n")
	want(t, d, "it names 1001 servers, of which the first 1000 were read", "10.0.0.1:80 http://10.0.0.1:80 named s1")
	page = "# pxname,svname,status,type\napp,s1,UP,2\n"
	want(t, d, "gives no address of s1: HAProxy needs stats show-legends", "10.0.0.1:80 http://10.0.0.1:80 named s1")
}

// TestRun checks that a source is asked again by itself, soon when a refresh is due, and that
// many refreshes are one question a second.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var asked []time.Duration
		began := time.Now()
		d := &Discovery{least: 1, wake: make(chan struct{}, 1), asking: make(chan struct{}, 1)}
		d.ask = func(context.Context) (answer, error) {
			switch asked = append(asked, time.Since(began)); len(asked) {
			case 1, 2:
				d.Refresh()
				d.Refresh()
			case 5:
				stop()
			}
			return answer{[]probes.Node{{ID: "a", URL: new(url.URL)}}, 7 * time.Second}, nil
		}
		d.Update(ctx)
		d.Run(ctx, func([]probes.Node) bool { return true })
		expect.Equal(t, "it was asked at", []time.Duration{0, time.Second, 2 * time.Second, 9 * time.Second, 16 * time.Second}, asked)
	})
}

// TestRunTogether checks that sources with one interval are asked at the same moments, because
// each wakes the process up.
func TestRunTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var mu sync.Mutex
		moments := make(map[time.Time]int)
		var running sync.WaitGroup
		for i := range 10 {
			d := &Discovery{least: 1, wake: make(chan struct{}, 1), asking: make(chan struct{}, 1), ask: func(context.Context) (answer, error) {
				mu.Lock()
				defer mu.Unlock()
				moments[time.Now()]++
				return answer{[]probes.Node{{ID: "a", URL: new(url.URL)}}, 5 * time.Second}, nil
			}}
			running.Go(func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				d.Run(ctx, func([]probes.Node) bool { return true })
			})
		}
		running.Wait()
		for at, n := range moments {
			if n != 10 {
				t.Errorf("%d of 10 sources were asked at %v", n, at)
			}
		}
	})
}

// TestAdopt checks that an unchanged list is passed on once, and one that was not adopted again.
func TestAdopt(t *testing.T) {
	var received [][]string
	listed, takes := "a", false
	d := &Discovery{least: 1, asking: make(chan struct{}, 1), ask: func(context.Context) (answer, error) {
		return answer{[]probes.Node{{ID: listed, URL: new(url.URL)}}, time.Hour}, nil
	}}
	d.adopt = func(nodes []probes.Node) bool {
		received = append(received, shown(nodes))
		return takes
	}
	d.Update(t.Context())
	takes = true
	d.Update(t.Context())
	d.Update(t.Context())
	listed = "b"
	d.Update(t.Context())
	d.Update(t.Context())
	expect.Equal(t, "lists", [][]string{{"a "}, {"a "}, {"b "}}, received)
}

// BenchmarkUpdate measures a question whose answer has not changed.
func BenchmarkUpdate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "targets.json")
	must.Succeed(b, os.WriteFile(path, []byte(`[{"targets": ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"]}]`), 0o600))
	hourAgo := time.Now().Add(-time.Hour)
	must.Succeed(b, os.Chtimes(path, hourAgo, hourAgo))
	list := records(b, "app.internal. 30 IN A 127.0.0.2", "app.internal. 30 IN A 127.0.0.3", "app.internal. 30 IN A 127.0.0.4")
	server := nameserver(b, func(_ dns.Question, reply *dns.Msg) { reply.Answer = list })
	for name, from := range map[string]config.NodesFrom{
		"file": {File: path, Scheme: "http"},
		"dns":  {DNS: &config.DNSName{Name: "app.internal", Type: "A", Port: 8080, Server: server}, Scheme: "http"},
	} {
		b.Run(name, func(b *testing.B) {
			d := New(from, &probes.Cluster{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Ask(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
