package config

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

// defaultProfile is the profile of a cluster without one.
const defaultProfile = "generic"

// profiles contain defaults, so that a file needs only addresses. They use the wire
// structs: a file can contain anything that a profile contains.
//
// Methods are unknown unless the application's documentation requires one.
var profiles = map[string]wireCluster{
	// Applications that follow stickwatch's own conventions.
	"generic": {
		Status: wireStatus{Path: new("/status")},
		Session: wireSession{
			Path:   new("/cluster/test"),
			Policy: string(probes.PolicySticky),
			Node:   &wireExtractor{Labels: oneOrMore{"node"}},
			ID:     &wireExtractor{Labels: oneOrMore{"session", "sessionid"}},
		},
	},

	// Weaver e-Bridge (泛微云桥). Its cluster guide requires ip_hash and has no max_fails;
	// the test page needs no login.
	"ebridge": {
		Balancer: wireBalancer{
			Method:      string(probes.MethodIPHash),
			MaxFails:    new(1),
			FailTimeout: new(duration(10 * time.Second)),
		},
		Session: wireSession{
			Path:   new("/main/base/cluster/test"),
			Policy: string(probes.PolicySticky),
			Node:   &wireExtractor{Labels: oneOrMore{"当前节点", "node"}},
			ID:     &wireExtractor{Labels: oneOrMore{"会话", "sessionid"}},
		},
	},

	// Strategy (MicroStrategy) Collaboration Server. ip_hash "is a must". It sets no
	// cookie and has no id of its own, so the process identifies a node: pid and start
	// time.
	"strategy-collaboration": {
		Balancer:  wireBalancer{Method: string(probes.MethodIPHash)},
		Status:    wireStatus{Path: new("/status"), Settings: []string{"enableTls", "scaling", "logging"}},
		Handshake: wireHandshake{Path: new("/socket.io/")},
		Session: wireSession{
			Path:   new("/status"),
			Policy: string(probes.PolicySticky),
			Node: &wireExtractor{Join: []wireExtractor{
				{JSONPath: "$.main.pid"},
				{JSONPath: "$.main.up_since"},
			}},
		},
	},

	// Tomcat with in-memory replication. The route is the part after the first dot of
	// the session id, as mod_proxy_balancer reads it.
	"tomcat": {
		Session: wireSession{
			Path:   new("/cluster/index.jsp"),
			Policy: string(probes.PolicyReplicated),
			Node:   &wireExtractor{Cookie: "JSESSIONID", After: "."},
			ID:     &wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"."}},
			Write:  "?key1={value}",
			Read:   &wireExtractor{Regex: `key1\s*=\s*["']?([^\s<&"']+)`},
		},
	},

	// Huozige (活字格) has no health endpoint: its operators check the application's root.
	// Sessions are in Redis.
	"huozige": {
		Balancer: wireBalancer{MaxFails: new(30), FailTimeout: new(duration(20 * time.Second))},
		Session:  wireSession{Policy: string(probes.PolicyShared)},
		Pages:    []wirePage{{Path: "/"}},
	},

	// Tomcat with memcached-session-manager. Ids have the format ID-n1.tomcat1, where
	// n1 is a memcached node: only the part before both is constant. The node is in the
	// page, in the format of the guide's test page, or it is the route.
	"tomcat-msm": {
		Session: wireSession{
			Path:   new("/index.jsp"),
			Policy: string(probes.PolicyShared),
			Node: &wireExtractor{First: []wireExtractor{
				{Labels: oneOrMore{"node", "SERVER", "route"}},
				{Regex: `(?i)this is tomcat server\s+([^\s<!]+)`},
				{Cookie: "JSESSIONID", After: "."},
			}},
			ID: &wireExtractor{Cookie: "JSESSIONID", Before: oneOrMore{"-", "."}},
			// The route is cut off first: it may contain a hyphen that is not followed
			// by a memcached node.
			Store: &wireExtractor{First: []wireExtractor{{Cookie: "JSESSIONID", Before: oneOrMore{"."}}}, After: "-"},
		},
	},
}

// ProfileNames returns the names of the profiles, the default first.
func ProfileNames() []string {
	return append([]string{defaultProfile}, slices.DeleteFunc(slices.Sorted(maps.Keys(profiles)),
		func(name string) bool { return name == defaultProfile })...)
}

// withProfile returns w with defaults of its profile, key by key; an extractor is taken
// whole.
func (w wireCluster) withProfile() wireCluster {
	w.Profile = cmp.Or(w.Profile, defaultProfile)
	p := profiles[w.Profile]
	w.Balancer.Method = cmp.Or(w.Balancer.Method, p.Balancer.Method)
	w.Balancer.MaxFails = cmp.Or(w.Balancer.MaxFails, p.Balancer.MaxFails)
	w.Balancer.FailTimeout = cmp.Or(w.Balancer.FailTimeout, p.Balancer.FailTimeout)
	w.Session = w.Session.or(p.Session)
	w.Status.Path = cmp.Or(w.Status.Path, p.Status.Path)
	if w.Status.Settings == nil {
		w.Status.Settings = p.Status.Settings
	}
	w.Handshake.Path = cmp.Or(w.Handshake.Path, p.Handshake.Path)
	if w.Pages == nil {
		w.Pages = p.Pages
	}
	return w
}

// or returns w with defaults from p.
func (w wireSession) or(p wireSession) wireSession {
	w.Path = cmp.Or(w.Path, p.Path)
	w.Policy = cmp.Or(w.Policy, p.Policy, string(probes.PolicySticky))
	w.Timeout = cmp.Or(w.Timeout, p.Timeout)
	w.Node = cmp.Or(w.Node, p.Node)
	w.ID = cmp.Or(w.ID, p.ID)
	w.Store = cmp.Or(w.Store, p.Store)
	w.Write = cmp.Or(w.Write, p.Write)
	w.Read = cmp.Or(w.Read, p.Read)
	w.Charset = cmp.Or(w.Charset, p.Charset)
	return w
}
