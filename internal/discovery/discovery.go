// Package discovery asks the sources of `nodes_from` which nodes a cluster has now: DNS,
// files and HTTP services in the formats of Prometheus, and the balancer itself.
//
// Prometheus's own discoverers only log a failure, use no TTL, read answers without bound
// and open an inotify instance for each file, of which a user has 128. A source here has
// to report why it has no list. So this package takes over the type and the decoder of
// their formats (targetgroup), and asks by itself.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

const (
	askTimeout   = 5 * time.Second // of one question with all its parts
	retryEvery   = 5 * time.Second // longest pause after a failure
	refreshPause = time.Second     // shortest pause between two questions
	maxAnswer    = 1 << 20         // bytes of a file or an HTTP answer
	maxNodes     = 1000            // of a cluster
)

// A Discovery knows the nodes that a source lists. It implements probes.NodeSource.
type Discovery struct {
	ask   func(context.Context) (answer, error)
	hide  []string // secrets that errors must not show
	least int
	wake  chan struct{}

	asking  chan struct{} // holds one element during a question
	changed bool          // nodes are others than those that were adopted last; used during a question

	mu    sync.Mutex
	state probes.SourceState
	nodes []probes.Node
	adopt func([]probes.Node) bool // nil: nobody is notified
}

// An answer is a list of nodes, in the order of the source if it has one.
type answer struct {
	nodes []probes.Node
	again time.Duration // after which the source is asked again
}

// New returns the Discovery of a cluster that knows no node yet.
func New(from config.NodesFrom, c *probes.Cluster) *Discovery {
	d := &Discovery{least: max(1, from.MinNodes), wake: make(chan struct{}, 1), asking: make(chan struct{}, 1)}
	d.state.Name = from.String()
	nodes := nodeTemplate{scheme: from.Scheme, protocol: from.Protocol}
	switch {
	case from.DNS != nil:
		d.ask = dnsSource{*from.DNS, nodes}.ask
	case from.File != "":
		d.ask = (&fileSource{path: from.File, nodes: nodes, stat: os.Stat, reading: panics.NewRunner()}).ask
	case from.HTTP != nil:
		d.hide = probes.SecretsOf(from.HTTP)
		d.ask = httpSource{from.HTTP, c.TLS, nodes}.ask
	default:
		d.ask = balancerSource{cluster: c, pool: from.Pool, nodes: nodes}.ask
	}
	return d
}

// State implements probes.NodeSource.
func (d *Discovery) State() probes.SourceState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Nodes returns the nodes of its last usable answer.
func (d *Discovery) Nodes() []probes.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes
}

// Refresh implements probes.NodeSource.
func (d *Discovery) Refresh() {
	select {
	case d.wake <- struct{}{}:
	default: // it will be asked anyway
	}
}

// Ask asks the source once and returns the nodes: those that it lists, or those of its last
// usable answer with the error.
func (d *Discovery) Ask(ctx context.Context) ([]probes.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case d.asking <- struct{}{}: // one at a time, or an older answer might replace a newer one
	case <-ctx.Done():
		return d.Nodes(), ctx.Err()
	}
	defer func() { <-d.asking }()
	var got answer
	err := panics.Catch(panics.Daemon, func() {
		var askErr error
		if got, askErr = d.ask(ctx); askErr != nil {
			got.nodes = nil
		}
		d.record(got, d.usable(got, askErr))
	})
	if err != nil {
		d.record(answer{}, err)
	}
	d.mu.Lock()
	state, nodes, adopt := d.state, d.nodes, d.adopt
	d.mu.Unlock()
	if state.Error != "" {
		return nodes, errors.New(state.Error)
	}
	if d.changed && adopt != nil {
		d.changed = !adopt(nodes)
	}
	return nodes, nil
}

// Begin asks the source for the first time and waits for its answer, at most for the given
// time. A later answer is used when it arrives; until then the source counts as failing.
func (d *Discovery) Begin(ctx context.Context, atMost time.Duration) ([]probes.Node, error) {
	done := make(chan struct{})
	panics.Go(panics.Daemon, func() {
		defer close(done)
		d.Update(context.WithoutCancel(ctx))
	})
	select {
	case <-done:
	case <-time.After(atMost):
		d.recordSilence(atMost)
	}
	if state := d.State(); state.Error != "" {
		return d.Nodes(), errors.New(state.Error)
	}
	return d.Nodes(), nil
}

// recordSilence stores that the source has not answered yet, unless it has.
func (d *Discovery) recordSilence(waited time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Answered.IsZero() && d.state.Error == "" {
		d.state.Failing, d.state.Error = time.Now().Add(-waited), fmt.Sprintf("no answer within %v", waited)
	}
}

// Update implements probes.NodeSource.
func (d *Discovery) Update(ctx context.Context) { _, _ = d.Ask(ctx) }

// usable returns why an answer is not used; nil: it is.
func (d *Discovery) usable(got answer, err error) error {
	switch n := len(got.nodes); {
	case err != nil:
		return err
	case n < d.least:
		return fmt.Errorf("it lists %d nodes, want at least %d (min_nodes)", n, d.least)
	case n > maxNodes:
		return fmt.Errorf("it lists %d nodes, want at most %d", n, maxNodes)
	}
	return nil
}

// record stores the result of a question.
func (d *Discovery) record(got answer, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if err != nil {
		if d.state.Failing.IsZero() {
			d.state.Failing = now
		}
		d.state.Error = probes.Conceal(probes.Clean(probes.WithoutURL(err).Error(), probes.MaxError), d.hide...)
		return
	}
	if !slices.EqualFunc(d.nodes, got.nodes, SameNode) {
		d.nodes, d.changed = got.nodes, true
	}
	d.state.Answered, d.state.Interval, d.state.Nodes = now, got.again, len(got.nodes)
	d.state.Failing, d.state.Error, d.state.Restored = time.Time{}, "", false
}

// Restore makes the list of an earlier process the last one, if the source has not answered yet
// and the list is long enough. It reports whether it did.
func (d *Discovery) Restore(nodes []probes.Node, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.state.Answered.IsZero() || len(nodes) < d.least {
		return false
	}
	d.nodes = nodes
	d.state.Answered, d.state.Nodes, d.state.Restored = at, len(nodes), true
	return true
}

// Run asks the source again and again until ctx ends. It calls adopt when an answer has other
// nodes, whoever asked, and with every further answer until adopt returns true. adopt must not
// wait for a round, because that may wait for an answer.
func (d *Discovery) Run(ctx context.Context, adopt func([]probes.Node) bool) {
	d.mu.Lock()
	d.adopt = adopt
	d.mu.Unlock()
	for d.pause(ctx) {
		d.Update(ctx)
	}
}

// pause waits until the source is to be asked, and reports whether ctx goes on.
func (d *Discovery) pause(ctx context.Context) bool {
	state := d.State()
	pause := max(state.Interval, refreshPause)
	if state.Error != "" || state.Answered.IsZero() {
		pause = min(pause, retryEvery)
	}
	// All sources are asked at whole seconds: to wake the process up for each of hundreds
	// costs more than their questions.
	now := time.Now()
	due := time.NewTimer(now.Add(pause).Round(time.Second).Sub(now))
	defer due.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-due.C:
		return true
	case <-d.wake:
		return sleep.Until(ctx, now.Add(refreshPause))
	}
}

// SameNode reports whether two nodes of lists of one source are the same.
func SameNode(a, b probes.Node) bool {
	return a.ID == b.ID && a.URL.String() == b.URL.String() && a.Server == b.Server && a.Host == b.Host && a.Protocol == b.Protocol
}

// A nodeTemplate makes nodes of addresses.
type nodeTemplate struct {
	scheme   string
	protocol probes.NodeProtocol
}

// node returns the node at host:port. A missing port is that of the scheme. An empty id
// is the address.
func (t nodeTemplate) node(id, address, scheme string) (probes.Node, error) {
	if scheme == "" {
		scheme = t.scheme
	}
	if scheme != "http" && scheme != "https" {
		return probes.Node{}, fmt.Errorf("a node has the scheme %q, want http or https", probes.Clean(scheme, 16))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), map[string]string{"http": "80", "https": "443"}[scheme]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	u, urlErr := url.Parse(scheme + "://" + net.JoinHostPort(host, port))
	if err != nil || number == 0 || urlErr != nil || u.Hostname() == "" || u.Path != "" || u.User != nil || u.Host != net.JoinHostPort(host, port) || len(address) > 255 {
		return probes.Node{}, fmt.Errorf("%q is no host:port", probes.Clean(address, 64))
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || ip.IsMulticast() || ip == broadcast) {
		return probes.Node{}, fmt.Errorf("%s is the address of no machine", host) // some DNS servers answer 0.0.0.0 to names that they block
	}
	if id == "" {
		id = u.Host
	}
	protocol := t.protocol
	if scheme == "https" && protocol == probes.ProtocolH2C {
		protocol = "" // h2c is HTTP/2 without TLS
	}
	return probes.Node{ID: id, URL: u, Weight: 1, Protocol: protocol}, nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// distinct returns nodes without those whose address another has already.
func distinct(nodes []probes.Node) []probes.Node {
	seen := make(map[string]bool)
	return slices.DeleteFunc(nodes, func(n probes.Node) bool {
		again := seen[n.URL.Host]
		seen[n.URL.Host] = true
		return again
	})
}
