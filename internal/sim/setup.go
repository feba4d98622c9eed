package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/demo"
	"stickwatch/internal/users"
	"stickwatch/probes"
)

// clientHeader is the request header that carries the client address.
const clientHeader = "X-Stickwatch-Client"

// A Setup describes the simulated cluster.
type Setup struct {
	Balancer    string // key of balancers
	Policy      probes.Policy
	Profile     string // generic, ebridge, strategy-collaboration, tomcat or tomcat-msm
	Nodes       int
	Workers     int // worker processes of nginx
	Zone        bool
	MaxFails    int
	FailTimeout time.Duration // fail_timeout of nginx; retry of httpd
	Timeout     time.Duration // limit of the balancer for connecting, and again for an answer
	TLS         bool          // users and stickwatch use https
	Queue       int           // a node serves one connection at a time, while this many wait; 0: any number at a time
}

// shared reports whether all nodes keep their sessions in one store.
func (s Setup) shared() bool { return s.Policy != probes.PolicySticky }

// String formats the setup as ParseSetup reads it.
func (s Setup) String() string {
	return fmt.Sprintf("%s/%s/%s nodes=%d workers=%d zone=%t max_fails=%d fail_timeout=%v timeout=%v tls=%t queue=%d",
		s.Balancer, s.Policy, s.Profile, s.Nodes, s.Workers, s.Zone, s.MaxFails, s.FailTimeout, s.Timeout, s.TLS, s.Queue)
}

// setups are the sensible combinations of method, policy and profile: an application
// whose nodes keep their own sessions needs a sticky method.
var setups = []Setup{
	{Balancer: "ip_hash", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "ip_hash", Policy: probes.PolicySticky, Profile: "ebridge"},
	{Balancer: "ip_hash", Policy: probes.PolicySticky, Profile: "strategy-collaboration"},
	{Balancer: "hash", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "cookie", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "haproxy-cookie", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "haproxy-source", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "haproxy-stick", Policy: probes.PolicySticky, Profile: "generic"},
	{Balancer: "haproxy-peers", Policy: probes.PolicySticky, Profile: "generic"},

	{Balancer: "ip_hash", Policy: probes.PolicyReplicated, Profile: "generic"},
	{Balancer: "cookie", Policy: probes.PolicyReplicated, Profile: "tomcat"},
	{Balancer: "haproxy-cookie", Policy: probes.PolicyReplicated, Profile: "generic"},
	{Balancer: "httpd-sticky", Policy: probes.PolicyReplicated, Profile: "tomcat"},

	{Balancer: "ip_hash", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "round_robin", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "round_robin", Policy: probes.PolicyShared, Profile: "tomcat-msm"},
	{Balancer: "least_conn", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "random", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "haproxy-roundrobin", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "haproxy-leastconn", Policy: probes.PolicyShared, Profile: "generic"},
	{Balancer: "httpd-byrequests", Policy: probes.PolicyShared, Profile: "generic"},
}

// scheduled are setups of schedules that are kept. They are not chosen at random, so that
// a seed keeps its setup.
var scheduled = []Setup{{Balancer: "haproxy-source-computed", Policy: probes.PolicySticky, Profile: "generic"}}

// Name identifies the setup in the table of measures.
func (s Setup) Name() string { return fmt.Sprintf("%s/%s/%s", s.Balancer, s.Policy, s.Profile) }

// matching returns the setups whose name contains text.
func matching(text string) []Setup {
	return slices.DeleteFunc(slices.Clone(setups), func(s Setup) bool { return !strings.Contains(s.Name(), text) })
}

// randomSetup chooses a setup and fills in its numbers.
func randomSetup(random *rand.Rand, among []Setup) Setup {
	s := among[random.IntN(len(among))]
	s.Nodes = 2 + random.IntN(3)
	s.Workers = 1 + random.IntN(4)
	s.Zone = random.IntN(3) == 0
	s.MaxFails = 1 + random.IntN(3)
	s.FailTimeout = []time.Duration{10 * time.Second, 10 * time.Second, 20 * time.Second}[random.IntN(3)]
	s.Timeout = []time.Duration{time.Second, 5 * time.Second, time.Minute}[random.IntN(3)]
	s.TLS = random.IntN(4) == 0
	if random.IntN(4) == 0 && s.sessions() { // a socket would be the only connection
		s.Queue = 1 + random.IntN(5)
	}
	return s
}

// ParseSetup parses the format of String.
func ParseSetup(text string) (Setup, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return Setup{}, fmt.Errorf("reading cluster %q: want METHOD/POLICY/PROFILE and key=value", text)
	}
	among := slices.DeleteFunc(slices.Concat(setups, scheduled), func(s Setup) bool { return s.Name() != fields[0] })
	if len(among) == 0 {
		return Setup{}, fmt.Errorf("reading cluster %q: want one of %q", fields[0], names(setups))
	}
	s := among[0]
	for _, field := range fields[1:] {
		key, value, _ := strings.Cut(field, "=")
		if err := s.set(key, value); err != nil {
			return Setup{}, fmt.Errorf("reading %q of cluster %q: %w", field, s.Name(), err)
		}
	}
	return s, s.check()
}

func (s *Setup) set(key, value string) (err error) {
	switch key {
	case "nodes":
		s.Nodes, err = strconv.Atoi(value)
	case "workers":
		s.Workers, err = strconv.Atoi(value)
	case "zone":
		s.Zone, err = strconv.ParseBool(value)
	case "max_fails":
		s.MaxFails, err = strconv.Atoi(value)
	case "fail_timeout":
		s.FailTimeout, err = time.ParseDuration(value)
	case "timeout":
		s.Timeout, err = time.ParseDuration(value)
	case "tls":
		s.TLS, err = strconv.ParseBool(value)
	case "queue":
		s.Queue, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("want nodes, workers, zone, max_fails, fail_timeout, timeout, tls or queue")
	}
	return err
}

// check returns an error when the setup cannot be simulated.
func (s Setup) check() error {
	if s.Nodes < 2 || s.Nodes > 9 || s.Workers < 1 || s.MaxFails < 0 || s.FailTimeout < time.Second || s.Timeout <= 0 || s.Queue < 0 || s.Queue > 0 && !s.sessions() {
		return fmt.Errorf("simulating cluster %q: want 2 to 9 nodes, a worker or more, max_fails not negative, fail_timeout of a second or more, a timeout, and a queue that is not negative, and 0 for an application with sockets", s)
	}
	return nil
}

func names(list []Setup) []string {
	var all []string
	for _, s := range list {
		all = append(all, s.Name())
	}
	return all
}

// busyFor is how long a node with a Queue takes for a connection.
const busyFor = 10 * time.Millisecond

// start starts the cluster on a network.
func (s Setup) start(n *Network, sessions *store, log func(*http.Request, int, time.Duration)) (*demo.Cluster, error) {
	config := demo.Config{Nodes: s.Nodes, Timeout: s.Timeout, ClientIPHeader: clientHeader, Network: n, Log: log}
	balancers[s.Balancer].configure(&config, s)
	if s.shared() {
		config.Store = sessions
	}
	cluster, err := demo.Start(config)
	if err != nil || s.Queue == 0 {
		return cluster, err
	}
	for _, node := range cluster.Nodes {
		n.Limit(node.Addr(), s.Queue, busyFor)
	}
	return cluster, nil
}

// url returns the address that users and stickwatch use instead of a plain one.
func (s Setup) url(plain string) string {
	if s.TLS {
		return strings.Replace(plain, "http:", "https:", 1)
	}
	return plain
}

// page returns the page that users request.
func (s Setup) page() users.Page {
	switch s.Profile {
	case "ebridge":
		return users.EBridge
	case "strategy-collaboration":
		return users.Strategy
	case "tomcat":
		return users.Tomcat
	case "tomcat-msm":
		return users.MSM
	default:
		return users.Generic
	}
}

// config returns the configuration of stickwatch for the cluster, as an operator would
// write it.
func (s Setup) config(c *demo.Cluster) (*config.Config, error) {
	var y strings.Builder
	fmt.Fprintf(&y, "alerting:\n  receivers:\n    - {name: ops, webhook: {url: http://127.0.0.1:1/}}\n")
	fmt.Fprintf(&y, "clusters:\n  - name: sim\n    profile: %s\n", s.Profile)
	b := balancers[s.Balancer]
	maxFails, after := b.readmits(s)
	fmt.Fprintf(&y, "    balancer: {url: %q, method: %s, client_ip_header: %s, max_fails: %d, fail_timeout: %v%s}\n",
		s.url(c.Balancer.URL()), b.method, clientHeader, maxFails, after, s.hashKey())
	fmt.Fprintf(&y, "    session: {policy: %s%s}\n", s.Policy, s.write())
	fmt.Fprintf(&y, "    nodes:\n")
	for _, n := range c.Nodes {
		fmt.Fprintf(&y, "      - {id: %s, url: %q}\n", n.ID(), s.url(n.URL()))
	}
	cfg, err := config.Parse("sim.yml", []byte(y.String()), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, fmt.Errorf("configuring %q: %w", s, err)
	}
	return cfg, nil
}

func (s Setup) hashKey() string {
	if s.Balancer == "hash" {
		return ", hash_key: $remote_addr"
	}
	return ""
}

// sessions reports whether the application has sessions that can be lost.
func (s Setup) sessions() bool { return s.Profile != "strategy-collaboration" }

// write makes canaries store a counter where the profile does not. The page of e-Bridge
// accepts no value.
func (s Setup) write() string {
	if s.Profile == "ebridge" || s.Profile == "tomcat" || !s.sessions() {
		return ""
	}
	return `, write: "?key1={value}", read: {regex: "key1=(\\S+)"}`
}

// A balancer is a product with one method of choosing nodes.
type balancer struct {
	method    probes.Method // value in stickwatch's configuration
	sticky    bool          // a client returns to its node
	remaps    bool          // when a node is down, clients of other nodes move as well
	readmits  func(Setup) (maxFails int, after time.Duration)
	configure func(*demo.Config, Setup)
}

// Health check parameters of HAProxy.
const (
	checkEvery = 2 * time.Second // interval of checks
	checkFall  = 3
	checkRise  = 2
)

func nginx(m probes.Method, sticky bool) balancer {
	return balancer{
		method: m, sticky: sticky,
		readmits: func(s Setup) (int, time.Duration) { return s.MaxFails, s.FailTimeout },
		configure: func(c *demo.Config, s Setup) {
			c.Method, c.Workers, c.Zone, c.MaxFails, c.FailTimeout = m, s.Workers, s.Zone, s.MaxFails, s.FailTimeout
		},
	}
}

// haproxy checks its servers, retries a failed connection, and finally tries another
// server.
func haproxy(m probes.Method, sticky bool, h demo.HAProxyConfig) balancer {
	h.Retries, h.Redispatch = 3, true
	h.Check = demo.HealthCheck{Inter: checkEvery, Path: "/status", Rise: checkRise, Fall: checkFall}
	return balancer{
		method: m, sticky: sticky, remaps: h.Balance == demo.HAProxySource,
		readmits:  func(Setup) (int, time.Duration) { return checkFall, checkRise * checkEvery },
		configure: func(c *demo.Config, _ Setup) { c.HAProxy = &h },
	}
}

func httpd(m probes.Method, sticky bool, h demo.HTTPDConfig) balancer {
	return balancer{
		method: m, sticky: sticky,
		readmits: func(s Setup) (int, time.Duration) { return 1, s.FailTimeout },
		configure: func(c *demo.Config, s Setup) {
			h.Retry = s.FailTimeout
			c.HTTPD = &h
		},
	}
}

// balancers are the simulated balancers by the name that a Setup uses.
var balancers = map[string]balancer{
	"ip_hash":     nginx(probes.MethodIPHash, true),
	"hash":        nginx(probes.MethodHash, true),
	"cookie":      nginx(probes.MethodCookie, true),
	"round_robin": nginx(probes.MethodRoundRobin, false),
	"least_conn":  nginx(probes.MethodLeastConn, false),
	"random":      nginx(probes.MethodRandom, false),

	"haproxy-cookie": haproxy(probes.MethodCookie, true, demo.HAProxyConfig{Cookie: "SRV"}),
	"haproxy-source": haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{Balance: demo.HAProxySource}),
	// As the one before, in a configuration that names the method.
	"haproxy-source-computed": haproxy(probes.MethodSource, true, demo.HAProxyConfig{Balance: demo.HAProxySource}),
	"haproxy-stick":           haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{StickOnSrc: true, StickExpire: 30 * time.Minute}),
	"haproxy-peers":           haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{StickOnSrc: true, StickExpire: 30 * time.Minute, Peers: true}),
	"haproxy-roundrobin":      haproxy(probes.MethodRoundRobin, false, demo.HAProxyConfig{}),
	"haproxy-leastconn":       haproxy(probes.MethodLeastConn, false, demo.HAProxyConfig{Balance: demo.HAProxyLeastConn}),

	"httpd-sticky":     httpd(probes.MethodCookie, true, demo.HTTPDConfig{StickySession: "JSESSIONID"}),
	"httpd-byrequests": httpd(probes.MethodRoundRobin, false, demo.HTTPDConfig{}),
}
