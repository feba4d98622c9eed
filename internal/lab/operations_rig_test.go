package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
	"stickwatch/probes/balance"
)

// A comparison is a real balancer and the demo's balancer in front of the same nodes.
// The same clients use both, and the same operations are applied to both.
type comparison struct {
	t     *testing.T
	nodes []*demo.Node // node1 and so on; initially all are listed
	lines []serverLine
	real  realBalancer
	demo  *demo.Balancer
	pairs []pair

	trails bool // the real balancer reports the servers tried, too
	chance bool // the shares of the nodes vary

	last struct{ real, demo []string } // last answers of the clients
}

// A serverLine is a server in a configuration.
type serverLine struct {
	node   int // from 1
	weight int // 0: 1
	down   bool
}

// A realBalancer provides the operations of a product in the lab.
type realBalancer struct {
	url    string
	reload func([]Server)                            // with these servers
	state  func(node string, state demo.ServerState) // nil: the product has no interface for it
	usable func(node string) bool                    // nil: the product does not report it
}

// A pair is one client, with a connection to the real balancer and one to the demo's.
type pair struct{ real, demo *httpClient }

// newComparison starts n nodes and both balancers. start starts the real balancer; c is
// the demo's configuration without servers.
func newComparison(t *testing.T, n int, lines []serverLine, start func([]Server) realBalancer, c demo.BalancerConfig) *comparison {
	t.Helper()
	o := &comparison{t: t, lines: lines}
	for i := range n {
		node, err := demo.StartNode(demo.NodeConfig{ID: fmt.Sprintf("node%d", i+1)})
		must.Succeed(t, err)
		t.Cleanup(node.Close)
		o.nodes = append(o.nodes, node)
	}
	o.real = start(o.servers())
	c.Servers, c.Route, c.UpstreamHeader, c.Name = o.demoServers(), o.id, "X-Upstream", "cluster"
	b, err := demo.StartBalancer(c)
	must.Succeed(t, err)
	t.Cleanup(b.Close)
	o.demo = b
	return o
}

// linesOf lists nodes by number.
func linesOf(nodes ...int) []serverLine {
	lines := make([]serverLine, len(nodes))
	for i, n := range nodes {
		lines[i].node = n
	}
	return lines
}

func (c *comparison) servers() []Server {
	var list []Server
	for _, l := range c.lines {
		n := c.nodes[l.node-1]
		list = append(list, Server{Name: n.ID(), Addr: n.Addr(), Weight: l.weight, Down: l.down})
	}
	return list
}

func (c *comparison) demoServers() []balance.Server {
	var list []balance.Server
	for _, l := range c.lines {
		list = append(list, balance.Server{Name: c.nodes[l.node-1].Addr(), Weight: max(l.weight, 1), Down: l.down})
	}
	return list
}

// id returns the id of the node at an address.
func (c *comparison) id(addr string) string {
	i := slices.IndexFunc(c.nodes, func(n *demo.Node) bool { return n.Addr() == addr })
	if i < 0 {
		return addr
	}
	return c.nodes[i].ID()
}

// stop ends the processes of nodes, by number; start starts them.
func (c *comparison) stop(nodes ...int) {
	for _, n := range nodes {
		c.nodes[n-1].Kill()
	}
}

func (c *comparison) start(nodes ...int) {
	c.t.Helper()
	for _, n := range nodes {
		must.Succeed(c.t, c.nodes[n-1].Start())
	}
}

// reload reloads both balancers with these lines; without lines, unchanged.
func (c *comparison) reload(lines ...serverLine) {
	c.t.Helper()
	if len(lines) > 0 {
		c.lines = lines
	}
	c.real.reload(c.servers())
	must.Succeed(c.t, c.demo.Reload(c.demoServers()))
}

// state sets a server's state in both balancers.
func (c *comparison) state(node int, s demo.ServerState) {
	c.t.Helper()
	n := c.nodes[node-1]
	c.real.state(n.ID(), s)
	must.Succeed(c.t, c.demo.SetServerState(n.Addr(), s))
}

// An httpClient is a client that opens a connection for every request.
type httpClient struct {
	url     string
	client  *http.Client
	header  http.Header
	session string // session on the last page
}

// addClientPairs adds clients. header returns the headers of client i, and source its
// address; either may be nil.
func (c *comparison) addClientPairs(n int, path string, header func(int) http.Header, source func(int) net.IP) {
	c.t.Helper()
	for i := range n {
		p := pair{c.newHTTPClient(c.real.url + path), c.newHTTPClient(c.demo.URL() + path)}
		for _, u := range []*httpClient{p.real, p.demo} {
			if header != nil {
				u.header = header(i)
			}
			if source != nil {
				dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: source(i)}}
				u.client.Transport.(*http.Transport).DialContext = dialer.DialContext
			}
		}
		c.pairs = append(c.pairs, p)
	}
}

func (c *comparison) newHTTPClient(url string) *httpClient {
	jar, err := cookiejar.New(nil)
	must.Succeed(c.t, err)
	return &httpClient{url: url, client: &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// shownNode and shownSession match the demo's pages.
var (
	shownNode    = regexp.MustCompile(`<(?:td|h1)>(node\d+)<`)
	shownSession = regexp.MustCompile(`<td>([0-9A-F]{32})<`)
)

// ask returns the answer that a client gets: the node, the status of an error, or why
// there is no answer; and the servers tried, where both balancers report them and there
// were several.
func (c *comparison) ask(u *httpClient) string {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, u.url, nil)
	if err != nil {
		return err.Error()
	}
	if u.header != nil {
		req.Header = u.header.Clone()
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	if m := shownSession.FindSubmatch(body); m != nil {
		u.session = string(m[1])
	}
	met := fmt.Sprint(resp.StatusCode)
	if m := shownNode.FindSubmatch(body); m != nil {
		met = string(m[1])
	}
	if upstreamsTried := c.upstreamsTried(resp.Header.Get("X-Upstream")); c.trails && upstreamsTried != met {
		met = fmt.Sprintf("%s after %s", met, upstreamsTried)
	}
	return met
}

// sessions returns the number of each client's session on its last page: equal ids have
// equal numbers, in the order of their first client.
func (c *comparison) sessions() (real, demo []int) {
	number := func(v func(pair) *httpClient) (list []int) {
		var ids []string
		for _, p := range c.pairs {
			id := v(p).session
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			list = append(list, slices.Index(ids, id))
		}
		return list
	}
	return number(func(p pair) *httpClient { return p.real }), number(func(p pair) *httpClient { return p.demo })
}

// sendConcurrently sends several requests at once, so that they reach different
// workers, and records the nodes that answer.
func (c *comparison) sendConcurrently(u *httpClient, met map[string]bool) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			once := *u
			m := c.ask(&once)
			mu.Lock()
			defer mu.Unlock()
			met[m] = true
		})
	}
	wg.Wait()
}

// upstreamsTried returns the servers tried for an answer.
func (c *comparison) upstreamsTried(header string) string {
	var ids []string
	for addr := range strings.SplitSeq(header, ", ") {
		ids = append(ids, c.id(addr))
	}
	return strings.Join(ids, ", ")
}

// askAll sends a request of every client to both balancers, in order, and returns the
// answers.
func (c *comparison) askAll() (real, demo []string) {
	c.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, p := range c.pairs {
			real = append(real, c.ask(p.real))
		}
	})
	wg.Go(func() {
		for _, p := range c.pairs {
			demo = append(demo, c.ask(p.demo))
		}
	})
	wg.Wait()
	c.last.real, c.last.demo = real, demo
	return real, demo
}

// sameAnswers checks that every client gets the same answer behind both balancers, and
// counts the answers.
func (c *comparison) sameAnswers(what string) map[string]int {
	c.t.Helper()
	real, demo := c.askAll()
	if diff := cmp.Diff(real, demo); diff != "" {
		c.t.Errorf("%s: the demo differs (-real +demo):\n%s", what, diff)
	}
	return count(real)
}

// kept checks that behind both balancers every client stays on its node, except those
// of the nodes in without, or all clients with forgotten; that clients that move, and
// new clients, go to other nodes than these and the avoided one; and that the nodes'
// shares are the same behind both.
func (c *comparison) kept(what string, without []int, avoided int, forgotten bool) {
	c.t.Helper()
	before, closed := c.last, append([]int{avoided}, without...)
	real, demo := c.askAll()
	for name, met := range map[string][2][]string{"real": {before.real, real}, "demo": {before.demo, demo}} {
		for i, now := range met[1] {
			var was string
			if i < len(met[0]) && strings.HasPrefix(met[0][i], "node") && !c.among(met[0][i], without) && !forgotten {
				was = met[0][i]
			}
			switch {
			case was != "" && now != was:
				c.t.Errorf("%s, %s: client %d met %s, want %s as before", what, name, i, now, was)
			case was == "" && (!strings.HasPrefix(now, "node") || c.among(now, closed)):
				c.t.Errorf("%s, %s: client %d met %s, want a node other than %v", what, name, i, now, closed)
			}
		}
	}
	shares, want := count(demo), count(real)
	for _, met := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(real, demo)))) {
		if got, want := shares[met], want[met]; !c.chance && max(got-want, want-got) > len(real)/50+1 {
			c.t.Errorf("%s: %d clients met %s behind the demo, want about %d", what, got, met, want)
		}
	}
	c.t.Logf("%s: %v", what, want)
}

// among reports whether the number of a node is in a list.
func (c *comparison) among(node string, numbers []int) bool {
	return slices.ContainsFunc(numbers, func(n int) bool { return node == fmt.Sprintf("node%d", n) })
}

func count(met []string) map[string]int {
	counts := map[string]int{}
	for _, m := range met {
		counts[m]++
	}
	return counts
}

// clientOf returns the first client that a node answers, by the demo.
func (c *comparison) clientOf(node string) int {
	c.t.Helper()
	i := slices.IndexFunc(c.pairs, func(p pair) bool { return c.ask(p.demo) == node })
	if i < 0 {
		c.t.Fatalf("no client is at %s", node)
	}
	return i
}

// readmit stops node2 until both balancers have noticed by the request of one client,
// and checks that they readmit it for the next client when the time has passed, and not
// before.
func (c *comparison) readmit(after time.Duration, failing, next pair) {
	c.t.Helper()
	c.stop(2)
	before := time.Now()
	if real, demo := c.ask(failing.real), c.ask(failing.demo); real != demo || real == "node2" {
		c.t.Errorf("without node2 its client met %q, and %q behind the demo", real, demo)
	}
	c.start(2)
	for name, v := range map[string]*httpClient{"real": next.real, "demo": next.demo} {
		c.until(name+": node2 is back", func() bool { return c.ask(v) == "node2" })
		// httpd takes the arrival of the request as the time of a failure.
		const early = 100 * time.Millisecond
		if took := time.Since(before); took < after-early {
			c.t.Errorf("%s: node2 is back after %v, want %v or more", name, took, after)
		}
	}
}

// waitNoticed waits until both balancers have noticed that a node is up, or down.
func (c *comparison) waitNoticed(node int, up bool) {
	c.t.Helper()
	n := c.nodes[node-1]
	c.until(fmt.Sprintf("%s is up: %t", n.ID(), up), func() bool {
		return c.real.usable(n.ID()) == up && c.demo.Usable(n.Addr()) == up
	})
}

// until waits until a condition holds.
func (c *comparison) until(what string, holds func() bool) {
	c.t.Helper()
	err := poll(c.t.Context(), nil, func(context.Context) error {
		if !holds() {
			return fmt.Errorf("%s: not yet", what)
		}
		return nil
	})
	must.Succeed(c.t, err)
}
