package sim

import (
	"time"

	"stickwatch/internal/demo"
	"stickwatch/probes"
)

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

	"haproxy-cookie":     haproxy(probes.MethodCookie, true, demo.HAProxyConfig{Cookie: "SRV"}),
	"haproxy-source":     haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{Balance: demo.HAProxySource}),
	"haproxy-stick":      haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{StickOnSrc: true, StickExpire: 30 * time.Minute}),
	"haproxy-peers":      haproxy(probes.MethodUnknown, true, demo.HAProxyConfig{StickOnSrc: true, StickExpire: 30 * time.Minute, Peers: true}),
	"haproxy-roundrobin": haproxy(probes.MethodRoundRobin, false, demo.HAProxyConfig{}),
	"haproxy-leastconn":  haproxy(probes.MethodLeastConn, false, demo.HAProxyConfig{Balance: demo.HAProxyLeastConn}),

	"httpd-sticky":     httpd(probes.MethodCookie, true, demo.HTTPDConfig{StickySession: "JSESSIONID"}),
	"httpd-byrequests": httpd(probes.MethodRoundRobin, false, demo.HTTPDConfig{}),
}
