package lab

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// An application keeps sessions in memory and answers with its node, the session's id
// and the stored value. ?set= stores a value.
type application struct {
	node string
	work time.Duration // processing time of an answer
	lock bool          // a session is used by one request at a time, as in PHP

	mu       sync.Mutex
	sessions map[string]*storedSession
}

type storedSession struct {
	mu    sync.Mutex // held while a request uses it
	value string
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/status" {
		fmt.Fprint(w, `{"state": "running", "version": "1"}`)
		return
	}
	id, s := a.session(r)
	http.SetCookie(w, &http.Cookie{Name: "SID", Value: id, Path: "/"})
	s.mu.Lock()
	if value := r.URL.Query().Get("set"); value != "" {
		s.value = value
	}
	w.Header().Set("X-Value", s.value)
	if !a.lock {
		s.mu.Unlock()
	}
	time.Sleep(a.work)
	if a.lock {
		s.mu.Unlock()
	}
	fmt.Fprintf(w, `{"node": %q, "sessionid": %q}`, a.node, id)
}

// session returns the session of a request, or a new one.
func (a *application) session(r *http.Request) (id string, s *storedSession) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cookie, err := r.Cookie("SID"); err == nil && a.sessions[cookie.Value] != nil {
		return cookie.Value, a.sessions[cookie.Value]
	}
	id = rand.Text()
	if a.sessions == nil {
		a.sessions = make(map[string]*storedSession)
	}
	a.sessions[id] = new(storedSession)
	return id, a.sessions[id]
}

// startSmall serves an application with one request at a time and a listen queue of
// five connections, as a small server does, and returns its address.
func startSmall(tb testing.TB, a *application) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must.Succeed(tb, err)
	raw, err := l.(*net.TCPListener).SyscallConn()
	must.Succeed(tb, err)
	var queue error
	if err := raw.Control(func(fd uintptr) { queue = syscall.Listen(int(fd), 5) }); err != nil || queue != nil {
		tb.Fatal(err, queue)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			answer(conn, a)
		}
	})
	tb.Cleanup(func() {
		l.Close()
		done.Wait()
	})
	return l.Addr().String()
}

// answer serves one request, and closes its connection.
func answer(conn net.Conn, h http.Handler) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return // the client gave up
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Close, resp.ContentLength = true, int64(w.Body.Len())
	_ = resp.Write(conn) // the client may have gone
}

// loadLimitedCluster returns three nodes behind nginx with their configuration.
func loadLimitedCluster(t *testing.T, addrs []string) (*NginxBalancer, *probes.Cluster) {
	t.Helper()
	nginx := NginxConfig{Method: "ip_hash", Workers: 2, RealIP: true, ConnectTimeout: time.Second}
	flags := config.Flags{
		Profile: "generic", Method: string(probes.MethodIPHash), ClientIPHeader: clientHeader,
	}
	for i, addr := range addrs {
		nginx.Servers = append(nginx.Servers, Server{Addr: addr, MaxFails: 1, FailTimeout: 10 * time.Second})
		flags.Nodes = append(flags.Nodes, names[i]+"=http://"+addr)
	}
	balancer := Nginx(t, nginx)
	flags.Balancer = []string{balancer.URL()}
	cfg, err := config.FromFlags(flags)
	must.Succeed(t, err)
	c := cfg.Clusters[0]
	c.Balancer.Evidence.NginxErrorLog = balancer.ErrorLog()
	c.Session.Write, c.Session.Read = "/cluster/test?set={value}", header(t, "X-Value")
	return balancer, c
}

// failuresOfUsers sends requests through a balancer, each as one of 200 clients, and
// returns the failed ones.
func failuresOfUsers(ctx context.Context, url string) (failures []string) {
	var mu sync.Mutex
	var pending sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for ticker := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
		pending.Go(func() {
			r, _ := http.NewRequest(http.MethodGet, url+"/cluster/test", nil)
			r.Header.Set(clientHeader, fmt.Sprintf("10.0.%d.1", mathrand.IntN(200)))
			resp, err := client.Do(r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err.Error())
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				failures = append(failures, resp.Status)
			}
		})
	}
	pending.Wait()
	return failures
}

// TestSmallNodes checks that nodes which answer one request at a time from a short
// listen queue are healthy, and that neither a round nor a watch fails a user's request
// or makes nginx eject a node.
func TestSmallNodes(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, name := range names[:3] {
		addrs = append(addrs, startSmall(t, &application{node: name, work: 30 * time.Millisecond}))
	}
	balancer, cluster := loadLimitedCluster(t, addrs)
	ctx, cancel := context.WithCancel(t.Context())
	met := make(chan []string)
	go func() { met <- failuresOfUsers(ctx, balancer.URL()) }()

	for range 3 {
		probed := *cluster
		probed.Limit(cluster.Budget) // like a process that has just started
		if report := checks.Judge(new(monitor.Prober).Round(t.Context(), &probed)); report.Verdict != checks.Healthy {
			t.Error(formatReport(report))
		}
	}
	r := &rig{tb: t, cluster: cluster}
	w := r.startWatcher(monitor.Intervals{Damping: checks.Damping{Appear: 1, Vanish: 1}})
	for range 4 {
		w.FollowUp(t.Context())
		w.FollowUp(t.Context())
		w.Refresh(t.Context(), monitor.Status)
		must.Succeed(t, w.TakeRound(t.Context()))
	}
	cancel()
	expect.Equal(t, "failures of users", []string(nil), <-met)
	expect.Equal(t, "changes reported by the watcher", []string(nil), w.changes)
	if log, err := os.ReadFile(balancer.ErrorLog()); err != nil || len(log) > 0 {
		t.Errorf("nginx's error log: %v, %s", err, log)
	}
}

// TestLockedSessions checks that a page that locks its session, as in PHP, is healthy:
// follow-ups of one session do not time out behind each other.
func TestLockedSessions(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, name := range names[:3] {
		addrs = append(addrs, serve(t, &application{node: name, work: 700 * time.Millisecond, lock: true}).Host)
	}
	_, cluster := loadLimitedCluster(t, addrs)
	report := checks.Judge(new(monitor.Prober).Round(t.Context(), cluster))
	if report.Verdict != checks.Healthy {
		t.Error(formatReport(report))
	}
}
