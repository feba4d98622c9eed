package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	redisclient "github.com/redis/go-redis/v9"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/users"
	"stickwatch/probes"
	"stickwatch/probes/redis"
)

// An operatedCluster is nodes behind a balancer, a population of users, and a daemon
// with its default intervals.
type operatedCluster struct {
	t                 *testing.T
	front             operatedFront
	nodes             []*demo.Node
	store             *flushableStore // nil: sessions are not shared
	redis             *Dependency     // nil: nodes have no dependency
	servers           []Server
	balancer          operable
	population        *users.Population
	recordingReceiver *recordingReceiver
	daemon            *daemon.Daemon
	admin             *http.Client // through the daemon's admin socket
	began             time.Time    // start of the operation
	quiet             time.Time    // no notification is allowed before; zero: it is
}

// populationPacings make 200 users send about ten requests per second.
var populationPacings = []users.Pacing{
	{Every: 15 * time.Second}, {Every: 20 * time.Second}, {Every: 25 * time.Second}, {Every: 20 * time.Second, New: true},
}

// warmUp is how long users run before the operation: most have a session then.
const warmUp = 20 * time.Second

// operate starts everything and returns when the cluster has been healthy for a while.
func operate(t *testing.T, f operatedFront, o operation) *operatedCluster {
	t.Helper()
	c := &operatedCluster{t: t, front: f, recordingReceiver: &recordingReceiver{}, began: time.Now()}
	c.startNodes(o)
	c.servers = f.operatedServers(c.nodes)
	if o.small {
		c.shrink()
	}
	c.balancer = f.start(t, c.servers)
	c.use()
	if o.small {
		time.Sleep(warmUp) // only users run meanwhile
		if totals := c.population.Log().Totals(); totals.Harmed() > 0 {
			t.Fatalf("the nodes are too small for their users: %v", totals)
		}
	}
	c.serve(c.file(o))
	await(t, "a first round", func() bool { return !c.daemon.Snapshots()[0].Report.Started.IsZero() })
	time.Sleep(warmUp) // users run meanwhile
	return c
}

func (c *operatedCluster) startNodes(o operation) {
	c.t.Helper()
	if c.front.shared {
		c.store = &flushableStore{store: demo.NewStore()}
	}
	if o.redis || o.lru {
		c.redis = Redis(c.t)
	}
	if o.lru {
		evict(c.t, newRedisStore(c.t, c.redis).client)
	}
	upSince := time.Now().Add(-time.Hour)
	for i, name := range names[:3] {
		cfg := demo.NodeConfig{ID: name, UpSince: upSince.Add(time.Duration(i) * time.Minute)}
		switch {
		case o.lru:
			cfg.Store = newRedisStore(c.t, c.redis)
		case c.store != nil:
			cfg.Store = c.store
		case o.idle > 0:
			cfg.Store = demo.NewIdleStore(o.idle)
		}
		if o.redis {
			cfg.Dependencies = pausedByRedis(c.redis)
		}
		n, err := demo.StartNode(cfg)
		must.Succeed(c.t, err)
		n.Set(demo.NodeFaults{ReasonCounts: true})
		c.t.Cleanup(n.Close)
		c.nodes = append(c.nodes, n)
	}
}

// file returns the configuration of an operator, with default intervals. Only nodes
// that pause without Redis report that they depend on it.
func (c *operatedCluster) file(o operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\nhistory: {url: \"sqlite:%s\"}\n", filepath.Join(c.t.TempDir(), "history.db"))
	b.WriteString("alerting:\n  receivers: [{name: ops, webhook: {url: http://127.0.0.1:9/}}]\nclusters:\n")
	fmt.Fprintf(&b, "  - name: shop\n    profile: %s\n    balancer:\n      url: %q\n      method: %s\n", cmp.Or(c.front.profile, "generic"), c.balancer.URL(), c.front.method)
	if c.front.header {
		fmt.Fprintf(&b, "      client_ip_header: %s\n", clientHeader)
	}
	if c.front.maxFails > 0 {
		fmt.Fprintf(&b, "      max_fails: %d\n      fail_timeout: %s\n", c.front.maxFails, c.front.failTimeout)
	}
	fmt.Fprintf(&b, "    session: {policy: %s}\n", cmp.Or(c.front.policy, probes.PolicySticky))
	if o.lru {
		fmt.Fprintf(&b, "    dependencies: [{name: %s, url: %q}]\n", demo.RedisServer, c.redis.URL())
	}
	b.WriteString("    nodes:\n")
	for i, s := range c.servers {
		fmt.Fprintf(&b, "      - {id: %s, url: \"http://%s\"}\n", c.nodes[i].ID(), s.Addr)
	}
	return b.String()
}

// serve runs a daemon until the test ends.
func (c *operatedCluster) serve(file string) {
	c.t.Helper()
	socket := adminSocket(c.t)
	c.admin = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	d, err := daemon.Start(c.t.Context(), daemon.Config{
		AdminSocket: socket,
		Load: func() (*config.Config, error) {
			return config.Parse("stickwatch.yml", []byte(file), func(string) (string, bool) { return "", false })
		},
		Prober: &monitor.Prober{Pingers: map[string]probes.Pinger{"redis": redis.Ping}}, Logger: slog.New(slog.DiscardHandler),
		Notifier: func(config.Receiver, config.Alerting) (alerting.Notifier, error) { return c.recordingReceiver, nil },
	})
	if err != nil {
		c.t.Fatalf("%v\n%s", err, file)
	}
	c.daemon = d
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
	})
}

// adminSocket is a path for a daemon's admin socket: those of tests are too long for one.
func adminSocket(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "stickwatch-")
	must.Succeed(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "admin.sock")
}

// call posts to the daemon's API, and decodes the answer if answer is not nil.
func (c *operatedCluster) call(path, body string, answer any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.daemon.Address().String()+path, strings.NewReader(body))
	must.Succeed(c.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.admin.Do(req)
	must.Succeed(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		c.t.Fatalf("posting to %s: got %s %s: %v", path, resp.Status, text, err)
	}
}

// use runs users until the test ends.
func (c *operatedCluster) use() {
	cfg := users.Config{
		URL: c.balancer.URL(), Page: c.front.page, Sticky: !c.front.shared, Users: 200, Pacings: populationPacings, Seed: uint64(time.Now().UnixNano()),
	}
	if c.front.header {
		cfg.ClientHeader = clientHeader
	}
	c.population = users.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.population.Run(ctx)
	}()
	c.t.Cleanup(func() { cancel(); <-ended })
}

// A recordingReceiver is a receiver that records notifications.
type recordingReceiver struct {
	mu   sync.Mutex
	list []notification
}

// A notification is a notification with its time of arrival.
type notification struct {
	At       time.Time
	Kind     alerting.NotificationKind
	Incident string
	Severity checks.Severity
	Code     checks.Code
	Node     string
	Text     string // all texts of the cause
	Joined   []string
}

func (n notification) String() string {
	return fmt.Sprintf("%s %s %s %s/%s %v: %s", n.At.Format("15:04:05.0"), n.Kind, n.Severity, n.Code, n.Node, n.Joined, n.Text)
}

// Notify implements alerting.Notifier.
func (r *recordingReceiver) Notify(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := notification{
		At: time.Now(), Kind: n.Kind, Incident: n.Incident.ID, Severity: n.Incident.Severity,
		Code: n.Incident.Cause.Code, Node: n.Incident.Cause.Node, Text: textOf(n.Incident.Cause),
	}
	for _, f := range n.Incident.Findings {
		m.Joined = append(m.Joined, f.Key())
	}
	r.list = append(r.list, m)
	return alerting.DeliveryRef{}, nil
}

// since returns the notifications that arrived after a time.
func (r *recordingReceiver) since(t time.Time) (list []notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.list {
		if m.At.After(t) {
			list = append(list, m)
		}
	}
	return list
}

// A flushableStore is a store that can be emptied.
type flushableStore struct {
	mu    sync.Mutex
	store *demo.MemoryStore
}

func (f *flushableStore) current() *demo.MemoryStore {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store
}

func (f *flushableStore) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store = demo.NewStore()
}

func (f *flushableStore) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	return f.current().Get(ctx, id)
}

func (f *flushableStore) Put(ctx context.Context, id string, s demo.Session) error {
	return f.current().Put(ctx, id, s)
}

// shrink makes each node serve one request at a time, for 30 ms, with a listen queue of
// five connections. Beyond that the kernel makes clients retry after a second.
func (c *operatedCluster) shrink() {
	c.t.Helper()
	for i, n := range c.nodes {
		ln := &sequentialListener{Listener: shortQueue(c.t, 5), free: make(chan struct{}, 1)}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(30 * time.Millisecond) // processing time of the node
			w.Header().Set("Connection", "close")
			n.ServeHTTP(w, r)
		})}
		go server.Serve(ln)
		c.t.Cleanup(func() { server.Close() })
		c.servers[i].Addr = ln.Addr().String()
	}
}

// A sequentialListener accepts a connection when the previous one is closed.
type sequentialListener struct {
	net.Listener
	free chan struct{} // has a token while a connection is open
}

func (l *sequentialListener) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &sequentialConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.free })}, nil
}

type sequentialConn struct {
	net.Conn
	leave func()
}

func (c *sequentialConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// evict limits Redis to 1.2 MB more than it has, and fills them every 12 s: sessions
// that were not used since then are evicted.
func evict(t *testing.T, client *redisclient.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	info, err := client.Info(ctx, "memory").Result()
	must.Succeed(t, err)
	_, rest, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(rest, "\r\n")
	used, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("reading Redis's memory: %v", err)
	}
	for key, value := range map[string]string{"maxmemory": strconv.Itoa(used + 1_200_000), "maxmemory-policy": "allkeys-lru", "maxmemory-samples": "10"} {
		must.Succeed(t, client.ConfigSet(ctx, key, value).Err())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n += 10 {
			for i := range 10 {
				client.Set(ctx, fmt.Sprintf("page:%d", n+i), strings.Repeat("x", 900), 0)
			}
			<-tick.C
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
}
