package config

import (
	"cmp"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"stickwatch/probes"
)

// NodesFrom is the source of a cluster's nodes that come and go. Exactly one of DNS, File,
// HTTP and Balancer is set.
type NodesFrom struct {
	DNS      *DNSName
	File     string   // path of a list of target groups
	HTTP     *url.URL // answers with such a list
	Balancer bool     // the list that the balancer's evidence gives
	Pool     string   // of that list; "": its only one
	Scheme   string   // of nodes whose source names none
	MinNodes int      // a list with fewer is not used
	Protocol probes.NodeProtocol
}

// A DNSName is a name whose records are nodes.
type DNSName struct {
	Name   string
	Type   string // A, AAAA or SRV
	Port   int    // 0 for SRV
	Server string // host:port; "": those of the system
}

// String returns the source in a few words, without credentials.
func (f NodesFrom) String() string {
	switch {
	case f.DNS != nil:
		return "dns " + f.DNS.Type + " " + f.DNS.Name
	case f.File != "":
		return "file " + f.File
	case f.HTTP != nil:
		shown := url.URL{Scheme: f.HTTP.Scheme, Host: f.HTTP.Host, Path: f.HTTP.Path}
		return "http " + shown.String()
	default:
		return strings.TrimSpace("balancer " + f.Pool)
	}
}

// discovered is the configuration of a cluster with nodes_from.
type discovered struct {
	from    NodesFrom
	listed  []probes.Node // under nodes
	session wireSession
	dir     string // base of relative paths
}

// NodesFrom returns the source of a cluster's nodes, if it has one.
func (c *Config) NodesFrom(cluster string) (NodesFrom, bool) {
	d, ok := c.discovered[cluster]
	return d.from, ok
}

// Sources returns the number of clusters whose nodes have a source.
func (c *Config) Sources() int { return len(c.discovered) }

// hasNodesFrom reports whether the nodes of a cluster come from a source.
func (c *Config) hasNodesFrom(cluster string) bool {
	_, ok := c.discovered[cluster]
	return ok
}

// Nodes returns the nodes of a cluster if its source has found these. They follow the listed
// ones; a node that is listed already keeps its place.
func (c *Config) Nodes(cluster string, found []probes.Node) []probes.Node {
	nodes := slices.Clone(c.discovered[cluster].listed)
	for _, n := range found {
		if !slices.ContainsFunc(nodes, func(listed probes.Node) bool { return listed.ID == n.ID || listed.URL.Host == n.URL.Host }) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// WithNodes returns the configuration in which the source of a cluster has found these nodes.
func (c *Config) WithNodes(cluster string, source probes.NodeSource, found []probes.Node) *Config {
	at := slices.IndexFunc(c.Clusters, func(one *probes.Cluster) bool { return one.Name == cluster })
	if at < 0 || !c.hasNodesFrom(cluster) {
		return c
	}
	next, withNodes := *c, *c.Clusters[at]
	withNodes.Source, withNodes.Nodes = source, c.Nodes(cluster, found)
	withNodes.Session = c.discovered[cluster].sessionOf(withNodes.Session, withNodes.Nodes)
	next.Clusters = slices.Clone(c.Clusters)
	next.Clusters[at] = &withNodes
	return &next
}

// sessionOf returns session with its node extractor rebuilt for nodes. If that fails, for
// example because a secret file is gone, the previous extractor stays.
func (d discovered) sessionOf(session *probes.Session, nodes []probes.Node) *probes.Session {
	if session == nil || session.Node == nil {
		return session
	}
	next, b := *session, &builder{document: newDocument("", nil), dir: d.dir}
	node := b.extractor(d.session.Node, extractorContext{charset: d.session.Charset, servers: servers(nodes)}, "")
	if len(b.problems) == 0 {
		next.Node = node
	}
	return &next
}

// nodesFrom builds the source of a cluster's nodes; ok is false without one.
func (b *builder) nodesFrom(w *wireNodesFrom, balancer probes.Balancer, at keyPath) (from NodesFrom, ok bool) {
	if w == nil {
		return from, false
	}
	from = NodesFrom{Balancer: w.Balancer, Pool: w.Pool, Scheme: cmp.Or(w.Scheme, "http"), Protocol: probes.NodeProtocol(w.Protocol), MinNodes: 1}
	if from.Protocol == probes.ProtocolH2C && from.Scheme == "https" {
		b.problem(at.key("protocol"), "h2c is HTTP/2 without TLS: leave out scheme: https")
	}
	if w.MinNodes != nil {
		from.MinNodes = *w.MinNodes
	}
	sources := 0
	if w.DNS != nil {
		sources++
		from.DNS = b.dns(*w.DNS, at.key("dns"))
	}
	if w.File != nil {
		sources++
		from.File = b.targetFile(*w.File, at.key("file").key("path"))
	}
	if w.HTTP != nil {
		sources++
		from.HTTP = b.url(at.key("http").key("url"), w.HTTP.URL, web)
	}
	if w.Balancer {
		sources++
		if e := balancer.Evidence; e.HAProxyStats == nil && e.ApacheBalancerManager == nil && e.ApacheStatus == nil && e.CaddyAdmin == nil {
			b.problem(at.key("balancer"), "requires balancer.evidence that lists servers: haproxy_stats, apache_balancer_manager, apache_status or caddy_admin")
		}
	}
	if sources != 1 {
		b.problem(at, "expected one of dns, file, http, balancer")
	}
	if w.Pool != "" && !w.Balancer {
		b.problem(at.key("pool"), "requires balancer: true")
	}
	return from, true
}

func (b *builder) dns(w wireDNS, at keyPath) *DNSName {
	name := DNSName{Name: w.Name, Type: cmp.Or(w.Type, "A"), Server: w.Server}
	if w.Name != "" && !validHost(w.Name) || strings.Contains(w.Name, ":") {
		b.problem(at.key("name"), "expected a DNS name, got %s", b.valueText(at.key("name"), w.Name))
	}
	switch {
	case w.Port != nil && name.Type == "SRV":
		b.problem(at.key("port"), "SRV records have ports: leave it out")
	case w.Port != nil && *w.Port > 65535:
		b.problem(at.key("port"), "expected a port up to 65535, got %d", *w.Port)
	case w.Port != nil:
		name.Port = *w.Port
	case name.Type != "SRV":
		b.problem(at.key("port"), "is missing: %s records have no port", name.Type)
	}
	if w.Server != "" {
		host, port, err := net.SplitHostPort(w.Server)
		if err == nil {
			err = validPort(port)
		}
		if err != nil || host == "" {
			b.problem(at.key("server"), "expected host:port such as 127.0.0.1:8600, got %s", b.valueText(at.key("server"), w.Server))
		}
	}
	return &name
}

// targetFile returns the path of a list. It need not exist yet.
func (b *builder) targetFile(w wireTargetFile, at keyPath) string {
	if w.Path == "" {
		return ""
	}
	if ext := strings.ToLower(filepath.Ext(w.Path)); !slices.Contains([]string{".json", ".yml", ".yaml"}, ext) {
		b.problem(at, "expected a file that ends in .json, .yml or .yaml, got %s", b.valueText(at, w.Path))
	}
	if filepath.IsAbs(w.Path) {
		return w.Path
	}
	return filepath.Join(b.dir, w.Path)
}
