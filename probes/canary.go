package probes

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Canary is a client of stickwatch's own with a session behind the balancer.
// It must be opened first; after that its methods may be called side by side.
type Canary struct {
	client  *Client
	cluster *Cluster
	jar     *Jar
	session Fingerprint // its id

	mu      sync.Mutex
	walk    Walk
	counter int
}

// NewCanary returns a canary that enters through e presenting key, and whose
// counter starts after base, so that no two canaries hold the same value.
// expected is the node that the oracle names; "" where it cannot.
func NewCanary(c *Cluster, e Entrance, key, expected string, base int) *Canary {
	return &Canary{
		client:  NewClient(e.Target(c, key)),
		cluster: c,
		jar:     NewJar(),
		walk:    Walk{URL: e.URL.Redacted(), Balancer: e.Address, Client: key, Expected: expected, Base: base},
		counter: base,
	}
}

// Walk is a copy of what the canary has been through.
func (c *Canary) Walk() Walk {
	c.mu.Lock()
	defer c.mu.Unlock()
	walk := c.walk
	walk.Steps = append([]Step(nil), walk.Steps...)
	return walk
}

// Open begins the session.
func (c *Canary) Open(ctx context.Context) Exchange {
	ex := c.get(ctx, c.cluster.WalkPath(), c.jar)
	c.session = ex.Session
	c.record(StepFirst, 0, ex)
	return ex
}

// Write stores the next counter in the session, where the application takes one.
func (c *Canary) Write(ctx context.Context) Exchange {
	c.mu.Lock()
	c.counter++
	counter := c.counter
	c.mu.Unlock()
	path := strings.ReplaceAll(c.cluster.Session.Write, "{value}", url.QueryEscape(strconv.Itoa(counter)))
	ex := c.get(ctx, path, c.jar)
	c.record(StepWrite, counter, ex)
	return ex
}

// Follow comes back with the session's cookies, on a copy of the jar: what one
// follow-up is given does not spoil the next.
func (c *Canary) Follow(ctx context.Context) Exchange {
	ex := c.get(ctx, c.cluster.WalkPath(), c.jar.Clone())
	c.record(StepFollow, c.stored(), ex)
	return ex
}

// Cross presents the session directly to other nodes, one after the other, and
// then to home, to put it back: Tomcat moves a session's route to the node that
// was asked. The jar travels along, because each may rename the session.
func (c *Canary) Cross(ctx context.Context, home Node, others []Node) []Crossing {
	var list []Crossing
	jar := c.jar.Clone()
	for _, other := range others {
		x := Crossing{From: home.ID, To: other.ID, Counter: c.stored(), Session: c.session}
		there := jar.Clone()
		if x.There = c.present(ctx, other, there); x.Fate() == FateLost && pause(ctx, replicationDelay) {
			there = jar.Clone()
			x.There = c.present(ctx, other, there)
		}
		if x.Fate() != FateLost {
			jar = there // only a node that knew the session may rename it
		}
		list = append(list, x)
	}
	c.present(ctx, home, jar)
	c.jar = jar
	return list
}

// replicationDelay is what asynchronous replication is given before a session
// counts as unknown elsewhere: Tomcat's DeltaManager sends after the answer.
const replicationDelay = 500 * time.Millisecond

// pause waits and reports whether it was let.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Canary) present(ctx context.Context, n Node, jar *Jar) Exchange {
	ex, _ := NewClient(c.cluster.NodeTarget(n)).ask(ctx, question{
		path: c.cluster.WalkPath(), jar: jar, public: c.client.target.URL, follow: true, session: c.cluster.Session,
	})
	return ex
}

func (c *Canary) get(ctx context.Context, path string, jar *Jar) Exchange {
	ex, _ := c.client.ask(ctx, question{path: path, jar: jar, follow: true, session: c.cluster.Session})
	return ex
}

func (c *Canary) record(kind StepKind, counter int, ex Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.walk.Steps = append(c.walk.Steps, Step{Kind: kind, Counter: counter, Exchange: ex})
}

// stored is the counter that the session should hold; 0 when none was written.
func (c *Canary) stored() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.walk.Steps) - 1; i >= 0; i-- {
		if s := c.walk.Steps[i]; s.Kind == StepWrite && s.OK() {
			return s.Counter
		}
	}
	return 0
}

// WalkPath is the path that walks ask.
func (c *Cluster) WalkPath() string {
	if c.Session != nil {
		return c.Session.Path
	}
	return c.PrimaryPath()
}

// KeyHeader is the header by which a client tells the balancer the key it
// hashes; "" when there is no such way.
func (b Balancer) KeyHeader() string {
	if b.Method == MethodHash && b.HashKey != "" && b.HashKey != "$remote_addr" {
		if name, ok := strings.CutPrefix(b.HashKey, "$http_"); ok {
			return strings.ReplaceAll(name, "_", "-")
		}
		return ""
	}
	return b.ClientIPHeader
}
