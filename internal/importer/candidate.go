package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"stickwatch/probes"
)

// A candidate is an upstream that becomes a cluster: its addresses, and the answers of
// its nodes.
type candidate struct {
	*upstream
	base    route // prefix of all paths, at the balancer and at the nodes
	nodes   []node
	profile string // profile from the options; "": to be detected
	hint    hint

	answers   []answer        // answers of the nodes in order; nil: no requests were sent
	confirmed map[string]bool // keys of evidence that can be read from this machine
}

// A node is an entry of the nodes list.
type node struct {
	ID, URL, Host, Label, Server string
	Weight                       int
	Down, Backup                 bool
	From                         string // line of the file; "": from flags
}

func newCandidate(u *upstream, all []*upstream, opts Options) *candidate {
	u.dropInvalid()
	s := &candidate{upstream: u, base: u.base(), profile: opts.Profile, confirmed: map[string]bool{}}
	s.hint = u.hint(all)
	if u.tcp {
		u.addComment("balancer.method", "mode tcp balances connections, and sees no requests or cookies")
	}
	if slices.ContainsFunc(u.servers, func(s server) bool { return s.backup }) && slices.Contains(noBackup, u.method) {
		u.guess("balancer.method", fmt.Sprintf("the file says %s; with backup servers stickwatch cannot predict nodes", u.method))
		u.method = probes.MethodUnknown
	}
	s.setFrontends(opts.Balancer)
	s.nodes = s.newNodes()
	return s
}

// setFrontends sets the balancer's addresses: the given ones, else those of the file,
// else a guess.
func (s *candidate) setFrontends(addresses []string) {
	u := s.upstream
	if len(addresses) > 0 {
		u.frontends = nil
		u.keyComments = slices.DeleteFunc(u.keyComments, func(r keyComment) bool { return r.key == "balancer.url" })
		for _, address := range addresses {
			u.addFrontend(frontend{url: strings.TrimRight(address, "/")})
		}
	}
	if len(u.frontends) == 0 {
		u.addFrontend(frontend{position: u.position, url: "http://" + localhost, guess: "nothing in the file routes users to " + u.name + ": write the address for users"})
	}
	for _, e := range u.frontends {
		if e.guess != "" {
			u.guess("balancer.url", e.withPosition(e.guess))
		}
	}
}

// base returns the prefix of u's paths where one location maps all paths of the nodes
// below its own. Most upstreams have none.
func (u *upstream) base() route {
	var found route
	for _, r := range u.routes {
		if r.exact || !strings.HasPrefix(r.to, "/") {
			continue
		}
		if r.path == "/" && r.to == "/" {
			return route{}
		}
		if r.path != r.to && (found.path == "" || len(r.path) < len(found.path)) {
			found = r
		}
	}
	if found.path == "" {
		return found
	}
	for _, r := range u.routes {
		if r.path != found.path {
			u.addComment("balancer.url", r.position.String()+": "+r.path+" leads there, too")
		}
	}
	return route{path: strings.TrimRight(found.path, "/"), to: strings.TrimRight(found.to, "/")}
}

// reaches reports whether the balancer passes a path to u, as far as is known.
func (s *candidate) reaches(path string) bool {
	if s.base != (route{}) || len(s.routes) == 0 {
		return true
	}
	return slices.ContainsFunc(s.routes, func(r route) bool {
		return r.exact && r.path == path || !r.exact && strings.HasPrefix(path, r.path)
	})
}

// samplePath returns the path of a page that the balancer passes to u.
func (s *candidate) samplePath() string {
	if s.reaches("/") {
		return "/"
	}
	for _, r := range s.routes {
		if !r.exact {
			return r.path
		}
	}
	return s.routes[0].path
}

// newNodes returns the servers as nodes, without duplicate addresses.
func (s *candidate) newNodes() []node {
	ids := serverIDs(s.servers)
	var nodes []node
	for i, from := range s.servers {
		scheme, address := from.scheme, from.address
		if scheme == "ajp" {
			scheme, address = "http", s.besideAJP(address)
		}
		n := node{
			ID: ids[i], URL: scheme + "://" + address + s.base.to, Server: from.address,
			Weight: from.weight, Down: from.down, Backup: from.backup, From: from.position.String(),
		}
		if from.name != "" && from.name != n.ID {
			n.Server = from.name
		}
		if n.Server == address || n.Server == n.ID {
			n.Server = ""
		}
		if s.hostHeader != address {
			n.Host = s.hostHeader
		}
		if from.label != "" && from.label != n.ID {
			n.Label = from.label
		}
		if slices.ContainsFunc(nodes, func(known node) bool { return known.URL == n.URL }) {
			s.guess("nodes", from.position.String()+": "+address+" is a duplicate, and is written only once here")
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// besideAJP guesses the HTTP port of a Tomcat with the given AJP address, because only
// balancers speak AJP.
func (s *candidate) besideAJP(address string) string {
	host, port := splitAddress(address)
	beside := 8080
	if n, err := strconv.Atoi(port); err == nil && n > 8009 && n < 8100 { // several Tomcats on a machine usually increment both ports
		beside += n - 8009
	}
	s.guess("nodes", fmt.Sprintf("%s speaks AJP: %d is the usual port of Tomcat's HTTP connector", address, beside))
	return strings.TrimPrefix(webAddress("http", host, strconv.Itoa(beside)), "http://")
}

// serverIDs returns unique ids for servers: their names, their host names, or numbers.
// All ids are of the same kind.
func serverIDs(servers []server) []string {
	for _, call := range []func(int, server) string{
		func(_ int, s server) string { return s.name },
		func(_ int, s server) string { return s.machine() },
	} {
		ids := make([]string, len(servers))
		for i, s := range servers {
			ids[i] = strings.Join(strings.Fields(probes.Clean(call(i, s), 60)), "-")
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
		if len(distinct) == len(servers) && distinct[0] != "" {
			return ids
		}
	}
	ids := make([]string, len(servers))
	for i := range ids {
		ids[i] = "node" + strconv.Itoa(i+1)
	}
	return ids
}

// machine returns the first label of the host's name; "" for an address.
func (s server) machine() string {
	host, _ := splitAddress(s.address)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return ""
	}
	name, _, _ := strings.Cut(host, ".")
	return name
}
