package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"github.com/google/go-cmp/cmp"
)

func TestNodePages(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	tests := []struct {
		path   string
		cookie string         // name and attributes; "": none is set
		id     *regexp.Regexp // matches its value
		shows  []string       // {cookie} stands for its value
	}{
		{
			"/cluster/test?key1=7", "SESSIONID; Path=/; HttpOnly", regexp.MustCompile(`^[0-9A-F]{32}$`),
			[]string{"<th>node</th><td>node1</td>", "<th>sessionid</th><td>{cookie}</td>", "key1=7\n"},
		},
		{
			"/main/base/cluster/test", "JSESSIONID; Path=/; HttpOnly", regexp.MustCompile(`^[0-9A-F]{32}$`),
			[]string{"当前节点（node）：node1<", "会话（sessionid）：{cookie}<"},
		},
		{
			"/cluster/index.jsp?key1=7", "JSESSIONID; Path=/cluster; HttpOnly", regexp.MustCompile(`^[0-9A-F]{32}\.node1$`),
			[]string{"key1=7\n", "{cookie}"},
		},
		{
			"/index.jsp", "JSESSIONID; Path=/; HttpOnly", regexp.MustCompile(`^[0-9A-F]{32}-n1\.node1$`),
			[]string{"SessionID:{cookie}<", "This is Tomcat server node1 !"},
		},
		{"/", "", nil, []string{"<h1>/</h1>"}},
		{"/app_a/", "", nil, []string{"<h1>/app_a/</h1>"}},
		{"/app_b/", "", nil, []string{"<h1>/app_b/</h1>"}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			r := newBrowser(t).get(n.URL() + tt.path)
			if r.Status != http.StatusOK {
				t.Fatalf("status %d, want 200", r.Status)
			}
			name, rest, _ := strings.Cut(r.Header.Get("Set-Cookie"), "=")
			value, attributes, _ := strings.Cut(rest, ";")
			if tt.cookie != "" {
				name += ";" + attributes
			}
			if name != tt.cookie || tt.id != nil && !tt.id.MatchString(value) {
				t.Errorf("cookie %q with value like %q, want %q like %v", name, value, tt.cookie, tt.id)
			}
			for _, want := range tt.shows {
				if want = strings.ReplaceAll(want, "{cookie}", value); !strings.Contains(r.Body, want) {
					t.Errorf("no %q in:\n%s", want, r.Body)
				}
			}
		})
	}
	if r := newBrowser(t).get(n.URL() + "/elsewhere"); r.Status != http.StatusNotFound {
		t.Errorf("unknown path: status %d, want 404", r.Status)
	}
}

func TestGBK(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1", GBK: true})
	r := newBrowser(t).get(n.URL() + "/main/base/cluster/test")
	if got, want := r.Header.Get("Content-Type"), "text/html; charset=GBK"; got != want {
		t.Errorf("Content-Type %q, want %q", got, want)
	}
	label := "\xb5\xb1\xc7\xb0\xbd\xda\xb5\xe3\xa3\xa8node\xa3\xa9\xa3\xbanode1" // 当前节点（node）：node1
	if !strings.Contains(r.Body, label) {
		t.Errorf("no %q in %q", label, r.Body)
	}
	if text := strings.ReplaceAll(r.Body, "?", ""); text != r.Body {
		t.Error("the page has characters that encodeGBK does not know")
	}
}

func TestPagesEscapeWhatTheyShow(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	r := newBrowser(t).get(n.URL() + "/cluster/test?key1=%3Cscript%3E")
	if !strings.Contains(r.Body, "key1=&lt;script&gt;") {
		t.Errorf("a value is not escaped in:\n%s", r.Body)
	}
}

func TestStopKeepsTheAddress(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	url, v := n.URL(), newBrowser(t)
	for range 3 {
		n.Stop()
		n.Stop()
		if _, err := v.try(t.Context(), http.MethodGet, url, ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("stopped: got %v, want a refused connection", err)
		}
		must.Succeed(t, errors.Join(n.Start(), n.Start()))
		if n.URL() != url {
			t.Fatalf("started again at %q, want %q", n.URL(), url)
		}
		if r := v.get(url); r.Status != http.StatusOK {
			t.Fatalf("started again: status %d, want 200", r.Status)
		}
	}
}

func TestStartNodeAtAnAddressInUse(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	if _, err := StartNode(NodeConfig{ID: "node2", Addr: n.Addr()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want an address in use", err)
	}
}

func TestStartNodeWhereOneWasClosed(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	newBrowser(t).get(n.URL())
	n.Close()
	again := startNode(t, NodeConfig{ID: "node1", Addr: n.Addr()})
	if got, want := again.URL(), n.URL(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFaultsOfAnswers checks faults that change an answer.
func TestFaultsOfAnswers(t *testing.T) {
	tests := []struct {
		name   string
		faults NodeFaults
		path   string
		want   int
		header map[string]string
		body   string // part of it
	}{
		{"everything fails", NodeFaults{Failing: "/"}, "/status", 500, nil, ""},
		{"a path fails", NodeFaults{Failing: "/app_a/", FailStatus: 503}, "/app_a/", 503, nil, ""},
		{"another path does not", NodeFaults{Failing: "/app_a/"}, "/app_b/", 200, nil, ""},
		{"redirect", NodeFaults{Mode: Redirect}, "/cluster/test?a=b", 302, map[string]string{"Location": "/cluster/test?a=b"}, ""},
		{"another id", NodeFaults{ID: "node9"}, "/cluster/test", 200, nil, "<td>node9</td>"},
		{"another version", NodeFaults{Version: "2.0"}, "/cluster/test", 200, nil, "<td>2.0</td>"},
		{"paused", NodeFaults{Paused: "maintenance"}, "/status", 200, nil, `"state":"paused","reason":"maintenance"`},
		{"other settings", NodeFaults{Scaling: "none"}, "/status", 200, nil, `"scaling":"none"`},
	}
	n := startNode(t, NodeConfig{ID: "node1"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n.Set(tt.faults)
			r := newBrowser(t).get(n.URL() + tt.path)
			got := map[string]string{}
			for name := range tt.header {
				got[name] = r.Header.Get(name)
			}
			if diff := cmp.Diff(tt.header, got); len(got) > 0 && diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if r.Status != tt.want || !strings.Contains(r.Body, tt.body) {
				t.Errorf("got %d, want %d and %q in:\n%s", r.Status, tt.want, tt.body, r.Body)
			}
		})
	}
}

// TestFaultsWithoutAnswer checks faults without an answer, or without the end of one.
func TestFaultsWithoutAnswer(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	for _, mode := range []Mode{Drop, Garbage} {
		n.Set(NodeFaults{Mode: mode})
		if r, err := newBrowser(t).try(t.Context(), http.MethodGet, n.URL(), ""); err == nil {
			t.Errorf("%s: got %d, want an error", mode, r.Status)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		n.Set(NodeFaults{Mode: Hang})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := newBrowser(t).try(ctx, method, n.URL(), "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hang: got %v, want nothing until the deadline", err)
		}
	}
	n.Set(NodeFaults{Mode: Endless})
	resp, err := newBrowser(t).client.Get(n.URL())
	must.Succeed(t, err)
	defer resp.Body.Close()
	if got, _ := io.CopyN(io.Discard, resp.Body, 4<<20); got != 4<<20 {
		t.Errorf("endless: it ended after %d bytes", got)
	}
}

func TestStopEndsWhatHangs(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{Mode: Hang})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { go n.Stop() },
	})
	if _, err := newBrowser(t).try(ctx, http.MethodGet, n.URL(), ""); err == nil {
		t.Error("a node that hangs has answered")
	}
}

func TestDelayAndClock(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{Delay: 20 * time.Millisecond, ClockOffset: time.Hour})
	sent := time.Now()
	r := newBrowser(t).get(n.URL())
	if took := time.Since(sent); took < 20*time.Millisecond {
		t.Errorf("answered after %v, want 20ms or more", took)
	}
	date, err := http.ParseTime(r.Header.Get("Date"))
	must.Succeed(t, err)
	if ahead := date.Sub(sent); ahead < time.Hour-time.Second {
		t.Errorf("the clock is ahead by %v, want 1h", ahead)
	}
}

func TestFaultsAddUp(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Change(func(f *NodeFaults) { f.Paused = "maintenance" })
	n.Change(func(f *NodeFaults) { f.Version = "2.0" })
	expect.Equal(t, "faults", NodeFaults{Paused: "maintenance", Version: "2.0"}, n.Faults())
}

func readStatus(t *testing.T, n *Node) status {
	t.Helper()
	var s status
	must.Succeed(t, json.Unmarshal([]byte(newBrowser(t).get(n.URL()+"/status").Body), &s))
	return s
}

func TestStatusNamesWhatIsUnavailable(t *testing.T) {
	var redis, db atomic.Bool
	check := func(up *atomic.Bool) func(context.Context) error {
		return func(context.Context) error {
			if up.Load() {
				return nil
			}
			return errors.New("gone")
		}
	}
	n := startNode(t, NodeConfig{ID: "node1", Dependencies: map[string]func(context.Context) error{
		"Redis Server": check(&redis), "DB Service": check(&db),
	}})
	var got []string
	for _, up := range [][2]bool{{true, true}, {false, true}, {false, false}} {
		redis.Store(up[0])
		db.Store(up[1])
		s := readStatus(t, n)
		got = append(got, s.State+": "+s.Reason)
	}
	want := []string{
		"running: ",
		"paused: The following dependent services are unavailable: Redis Server",
		"paused: The following dependent services are unavailable: DB Service, Redis Server",
	}
	expect.Equal(t, "state and reason", want, got)
}

// TestStatusHasTheDocumentedKeys checks the keys of the vendor's example.
func TestStatusHasTheDocumentedKeys(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1"})
	n.Set(NodeFaults{Paused: "maintenance"})
	const example = `{"version":"","enableTls":0,"scaling":"","logging":0,"state":"","reason":"","main":{"cpu":{"current":0,"max":0},
		"memory":{"current":0,"max":0},"connections":{"total":0,"current":0,"max":0},"messages":{"processed":0},
		"restCalls":{"received":0},"up_since":"","pid":0}}`
	var want, got any
	must.Succeed(t, json.Unmarshal([]byte(example), &want))
	must.Succeed(t, json.Unmarshal([]byte(newBrowser(t).get(n.URL()+"/status").Body), &got))
	expect.Equal(t, "keys", keys(want), keys(got))
}

// keys replaces every value by nil.
func keys(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for key := range object {
		object[key] = keys(object[key])
	}
	return object
}

func TestRestartShowsInStatus(t *testing.T) {
	n := startNode(t, NodeConfig{ID: "node1", UpSince: time.Date(2018, 4, 8, 2, 12, 42, 0, time.UTC)})
	before := readStatus(t, n)
	if got, want := before.Main.UpSince, "2018-4-8 02:12:42"; got != want {
		t.Errorf("up_since %q, want %q", got, want)
	}
	must.Succeed(t, n.Restart())
	after := readStatus(t, n)
	if before.Main.PID == after.Main.PID || before.Main.UpSince == after.Main.UpSince || after.Main.RESTCalls.Received != 1 {
		t.Errorf("still the same process: %+v, then %+v", before.Main, after.Main)
	}
}
