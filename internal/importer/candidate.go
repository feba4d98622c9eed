package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"stickwatch/probes"
)

// A candidate is an upstream on its way to a cluster: where it can be asked, and,
// once it was, what it answered.
type candidate struct {
	*upstream
	base    route // what stands before all paths: of the balancer, and of the nodes
	nodes   []node
	profile string // as it was asked for; "": it is found out
	hint    hint

	answers   []answer        // of the nodes, in their order; nil: nobody was asked
	confirmed map[string]bool // evidence that can be read from here
}

// A node is a line of the nodes.
type node struct {
	ID, URL, Host, Label, Server string
	Weight                       int
	Down, Backup                 bool
	From                         string // the line of the file; "": flags
}

func newCandidate(u *upstream, all []*upstream, opts Options) *candidate {
	u.dropInvalid()
	s := &candidate{upstream: u, base: u.base(), profile: opts.Profile, confirmed: map[string]bool{}}
	s.hint = u.hint(all)
	if u.tcp {
		u.addComment("balancer.method", "mode tcp balances connections, and sees no requests or cookies")
	}
	if slices.ContainsFunc(u.servers, func(s server) bool { return s.backup }) && slices.Contains(noBackup, u.method) {
		u.guess("balancer.method", fmt.Sprintf("the file says %s; with backup servers stickwatch does not compute that", u.method))
		u.method = probes.MethodUnknown
	}
	s.setFrontends(opts.Balancer)
	s.nodes = s.newNodes()
	return s
}

// setFrontends settles on which addresses users arrive: on those, else on the file's,
// else nobody knows.
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
		u.addFrontend(frontend{position: u.position, url: "http://" + localhost, guess: "nothing in the file leads users to " + u.name + ": write the address on which they arrive"})
	}
	for _, e := range u.frontends {
		if e.guess != "" {
			u.guess("balancer.url", e.withPosition(e.guess))
		}
	}
}

// base is what stands before the paths of u, where one location puts all of the
// nodes' paths below one of its own. Most have none.
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

// reaches reports whether the balancer is known to send a path to u, or at least
// not known to send it elsewhere.
func (s *candidate) reaches(path string) bool {
	if s.base != (route{}) || len(s.routes) == 0 {
		return true
	}
	return slices.ContainsFunc(s.routes, func(r route) bool {
		return r.exact && r.path == path || !r.exact && strings.HasPrefix(path, r.path)
	})
}

// samplePath is the path of a page that the balancer sends to u.
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

// newNodes are the servers as nodes, each address once.
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
			s.guess("nodes", from.position.String()+": "+address+" is there a second time, and only once here")
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// besideAJP is where the HTTP port of a Tomcat mostly is that speaks AJP at
// address: nobody but a balancer speaks that.
func (s *candidate) besideAJP(address string) string {
	host, port := splitAddress(address)
	beside := 8080
	if n, err := strconv.Atoi(port); err == nil && n > 8009 && n < 8100 { // several on a machine count both up
		beside += n - 8009
	}
	s.guess("nodes", fmt.Sprintf("%s speaks AJP: %d is where Tomcat's HTTP connector mostly is", address, beside))
	return strings.TrimPrefix(webAddress("http", host, strconv.Itoa(beside)), "http://")
}

// serverIDs are ids for servers: their names, or those of their machines, or
// numbers. All are of a kind, and no two are equal.
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

// machine is the first part of the host's name; "" where it has none.
func (s server) machine() string {
	host, _ := splitAddress(s.address)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return ""
	}
	name, _, _ := strings.Cut(host, ".")
	return name
}
