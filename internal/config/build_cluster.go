package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// cluster builds a cluster with the defaults of its profile.
func (b *builder) cluster(wire wireCluster, at keyPath) *probes.Cluster {
	cluster := &probes.Cluster{
		Name:     b.name(at.key("name"), wire.Name),
		Profile:  wire.Profile,
		Balancer: b.balancer(wire.Balancer, at.key("balancer")),
		Version:  b.extractor(wire.Version, extractorContext{}, at.key("version")),
		Title:    extract.Title(),
		TLS:      b.tls(wire.TLS, at.key("tls")),
		Limits:   b.limits(wire, at),
	}
	if len(wire.Nodes) > 0 || wire.NodesFrom == nil {
		cluster.Nodes = b.nodeList(wire.Nodes, cluster.Balancer.Method, at.key("nodes"), wire.NodesFrom != nil)
	}
	b.request(wire.Request, cluster, wire.NodesFrom != nil, at.key("request"))
	cluster.Limit(b.budget(wire.Budget, at.key("budget")))
	cluster.Session = b.session(wire.Session, cluster.Nodes, at.key("session"))
	if path := deref(wire.Status.Path); path != "" {
		cluster.Status = &probes.Status{Path: b.path(at.key("status").key("path"), path), Settings: wire.Status.Settings}
	}
	if path := deref(wire.Handshake.Path); path != "" {
		cluster.Handshake = &probes.Handshake{
			Path: b.path(at.key("handshake").key("path"), path), Kind: cmp.Or(probes.HandshakeKind(wire.Handshake.Kind), probes.HandshakeEngineIO),
		}
	}
	cluster.Pages = b.pages(wire.Pages, at.key("pages"))
	cluster.Dependencies = b.dependencies(wire.Dependencies, at.key("dependencies"))
	return cluster
}

// budget returns the budget of a cluster.
func (b *builder) budget(w wireBudget, at keyPath) probes.Budget {
	number := func(key string, got *int, standard, most int) int {
		if got == nil {
			return standard
		}
		if *got < 1 || *got > most {
			b.problem(at.key(key), "expected 1 to %d, got %d", most, *got)
		}
		return *got
	}
	return probes.Budget{
		RequestsPerSecond: number("requests_per_second", w.RequestsPerSecond, probes.DefaultBudget.RequestsPerSecond, 1000),
		Concurrent:        number("concurrent", w.Concurrent, probes.DefaultBudget.Concurrent, 100),
	}
}

func (b *builder) balancer(wire wireBalancer, at keyPath) probes.Balancer {
	out := probes.Balancer{
		Method:         probes.Method(cmp.Or(wire.Method, string(probes.MethodUnknown))),
		HashKey:        wire.HashKey,
		Consistent:     wire.Consistent,
		MaxFails:       1,
		FailTimeout:    orDefault(wire.FailTimeout, 10*time.Second),
		ClientIPHeader: wire.ClientIPHeader,
		Evidence:       b.evidence(at.key("evidence"), wire.Evidence),
	}
	if wire.MaxFails != nil {
		out.MaxFails = *wire.MaxFails
	}
	addresses := b.unique("address")
	for i, text := range wire.URL {
		where := at.key("url")
		if len(wire.URL) > 1 {
			where = where.item(i)
		}
		addresses(where, text)
		if u := b.server(where, text); u != nil {
			out.URLs = append(out.URLs, u)
		}
	}
	if len(wire.URL) == 0 {
		b.problem(at.key("url"), "expected the balancer's address")
	}
	if out.FailTimeout < time.Second || out.FailTimeout%time.Second != 0 {
		b.problem(at.key("fail_timeout"), "expected whole seconds, at least 1s, got %s", FormatDuration(out.FailTimeout))
	}
	b.hash(out, at)
	if wire.ClientIPHeader != "" && !headerName.MatchString(wire.ClientIPHeader) {
		b.problem(at.key("client_ip_header"), "expected the name of a header, got %s",
			b.valueText(at.key("client_ip_header"), wire.ClientIPHeader))
	}
	return out
}

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	hashKey    = regexp.MustCompile(`^\$((binary_)?remote_addr|http_[a-z0-9_]+|cookie_[A-Za-z0-9_]+)$`)
)

// hash reports settings that have no effect with method hash.
func (b *builder) hash(w probes.Balancer, at keyPath) {
	if w.Method != probes.MethodHash {
		if w.HashKey != "" {
			b.problem(at.key("hash_key"), "requires the method hash, got %s", w.Method)
		}
		if w.Consistent {
			b.problem(at.key("consistent"), "requires the method hash, got %s", w.Method)
		}
		return
	}
	if w.HashKey != "" && !hashKey.MatchString(w.HashKey) {
		b.problem(at.key("hash_key"), "expected $remote_addr, $binary_remote_addr, $http_NAME or $cookie_NAME, got %s: leave it out for another key",
			b.valueText(at.key("hash_key"), w.HashKey))
	}
}

// nodeList builds the listed nodes. more is true if a source adds others.
func (b *builder) nodeList(ws []wireNode, method probes.Method, at keyPath, more bool) []probes.Node {
	switch {
	case len(ws) == 0 && b.flags == nil:
		b.problem(at, "expected at least one node, or nodes_from")
		return nil
	case len(ws) == 0:
		b.problem(at, "is missing")
		return nil
	}
	ids, addresses := b.unique("node id"), b.unique("address")
	primary := ""
	out := make([]probes.Node, len(ws))
	for i, w := range ws {
		out[i] = b.node(w, method, at.item(i))
		ids(at.item(i).key("id"), w.ID)
		if w.Host == "" {
			addresses(at.item(i).key("url"), w.URL)
		}
		switch {
		case w.Primary && primary != "":
			b.problem(at.item(i).key("primary"), "the node %s is the primary already", quote(primary))
		case w.Primary:
			primary = w.ID
		}
	}
	if !more && !slices.ContainsFunc(ws, func(w wireNode) bool { return !w.Down && !w.Backup }) {
		b.problem(at, "every node is down or backup: expected at least one that gets clients")
	}
	return out
}

// noBackup are the methods with which nginx rejects a backup server.
var noBackup = []probes.Method{probes.MethodIPHash, probes.MethodHash, probes.MethodRandom}

func (b *builder) node(w wireNode, method probes.Method, at keyPath) probes.Node {
	if strings.ContainsAny(w.ID, " \t\n\r") {
		b.problem(at.key("id"), "expected an id without spaces, got %s", b.valueText(at.key("id"), w.ID))
	}
	if w.Backup && slices.Contains(noBackup, method) {
		b.problem(at.key("backup"), "a balancer with the method %s takes no backup nodes", method)
	}
	if w.Host != "" && !validHost(w.Host) {
		b.problem(at.key("host"), "expected a host name, with a port if need be, got %s", b.valueText(at.key("host"), w.Host))
	}
	if w.Protocol == string(probes.ProtocolH2C) && strings.HasPrefix(w.URL, "https:") {
		b.problem(at.key("protocol"), "h2c is HTTP/2 without TLS: the address must begin with http://")
	}
	return probes.Node{
		ID:      b.name(at.key("id"), w.ID),
		URL:     b.server(at.key("url"), w.URL),
		Host:    w.Host,
		Label:   w.Label,
		Server:  w.Server,
		Weight:  max(w.Weight, 1),
		Down:    w.Down,
		Backup:  w.Backup,
		Primary: w.Primary,

		Protocol: probes.NodeProtocol(w.Protocol),
	}
}

func validHost(host string) bool {
	u, err := url.Parse("http://" + host)
	return err == nil && u.Host == host && u.Hostname() != ""
}

func (b *builder) pages(ws []wirePage, at keyPath) []probes.Page {
	var out []probes.Page
	paths := b.unique("page")
	for i, w := range ws {
		where := at.item(i).key("path")
		paths(where, w.Path)
		page := probes.Page{Path: b.path(where, w.Path), Want: probes.StatusRange{From: 200, To: 399}}
		if w.Status != nil {
			page.Want = probes.StatusRange(*w.Status)
		}
		out = append(out, page)
	}
	return out
}

func (b *builder) dependencies(ws []wireDependency, at keyPath) []probes.Dependency {
	var out []probes.Dependency
	names := b.unique("dependency")
	for i, w := range ws {
		where := at.item(i)
		names(where.key("name"), w.Name)
		text, from := b.valueOrFile(where, "url", w.URL, w.URLFile)
		if text == "" && from == where.key("url") {
			b.problem(from, "is missing")
		}
		out = append(out, probes.Dependency{Name: b.name(where.key("name"), w.Name), URL: b.url(from, text, services)})
	}
	return out
}

func (b *builder) tls(w wireTLS, at keyPath) *tls.Config {
	if w == (wireTLS{}) {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: w.SkipVerify} //nolint:gosec // requested by skip_verify
	if w.CAFile == "" {
		return config
	}
	if pem, ok := b.file(at.key("ca_file"), w.CAFile); ok {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			b.problem(at.key("ca_file"), "%s has no certificate in PEM", b.valueText(at.key("ca_file"), w.CAFile))
		}
	}
	return config
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// session builds the session test; nil when there is none, or when its policy or an
// empty path disables it. nodes are the nodes that the balancer's cookie may name.
func (b *builder) session(wire wireSession, nodes []probes.Node, at keyPath) *probes.Session {
	policy, path := probes.Policy(wire.Policy), deref(wire.Path)
	if policy == probes.PolicyNone || wire.Path != nil && path == "" {
		return nil
	}
	if path == "" {
		if wire.Node != nil || wire.ID != nil || wire.Store != nil || deref(wire.Write) != "" || wire.Read != nil || wire.Login != nil {
			b.problem(at.key("path"), "is missing: expected the path of a page that opens a session")
		}
		return nil
	}
	if wire.Node == nil && wire.ID == nil && wire.Login == nil {
		b.problem(at, "expected node or id: without either no session can be identified")
	}
	if deref(wire.Write) == "" {
		if wire.Read != nil && wire.Write == nil {
			b.problem(at.key("read"), "requires write: without it there is no value to read")
		}
		wire.Read = nil // of the profile, whose counter the file disables
	}
	page := extractorContext{charset: b.charset(at.key("charset"), wire.Charset)}
	ofNode := extractorContext{charset: page.charset, servers: servers(nodes)}
	return &probes.Session{
		Path:    b.path(at.key("path"), path),
		Policy:  policy,
		Timeout: b.sessionTimeout(at.key("timeout"), wire.Timeout),
		Node:    b.extractor(wire.Node, ofNode, at.key("node")),
		ID:      b.extractor(wire.ID, page, at.key("id")),
		Store:   b.extractor(wire.Store, page, at.key("store")),
		Cookie:  wire.ID.cookie(),
		Write:   b.write(at.key("write"), deref(wire.Write), path),
		Read:    b.extractor(wire.Read, page, at.key("read")),
		Login:   b.login(wire.Login, page.charset, at.key("login")),
	}
}

// sessionTimeout returns how long the application keeps an unused session; 0: not
// configured.
func (b *builder) sessionTimeout(at keyPath, d *duration) time.Duration {
	if d == nil {
		return 0
	}
	timeout := time.Duration(*d)
	if timeout < time.Second {
		b.problem(at, "expected at least 1s, got %s", FormatDuration(timeout))
	}
	return timeout
}

// write returns the path that stores a value. A query alone is appended to the
// session's path, so that a profile's counter works with another path.
func (b *builder) write(at keyPath, text, path string) string {
	switch {
	case text == "":
		return ""
	case !strings.Contains(text, "{value}"):
		b.problem(at, "expected {value} in place of the value, got %s", b.valueText(at, text))
	case strings.HasPrefix(text, "?") && strings.Contains(path, "?"):
		return path + "&" + text[1:]
	case strings.HasPrefix(text, "?"):
		return path + text
	}
	return b.path(at, text)
}

// charset returns a character set that extractors support. It returns "" and reports an
// error for another.
func (b *builder) charset(at keyPath, name string) string {
	if _, err := extract.LabelsIn(name); err != nil {
		b.problem(at, "unknown character set %s", b.valueText(at, name))
		return ""
	}
	return name
}
