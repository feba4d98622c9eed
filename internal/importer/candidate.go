package importer

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A candidate is an upstream that becomes a cluster: its addresses, and the answers of
// its nodes.
type candidate struct {
	*upstream
	site            site          // the place where users are served
	base            route         // prefix of all paths, at the balancer and at the nodes
	nodes           []node        // in the order of the file
	found           []probes.Node // that the source of nodes lists now; not written
	profile         string        // profile from the options; "": to be detected
	hint            hint
	profileAnswered bool          // profile is an answer to a question
	policy          string        // of sessions, as answered; "": guessed, or the profile's
	asked           []string      // keys of questions
	skeleton        phrase.Phrase // why the cluster is written as a comment only; zero: it is complete

	tried      trial
	answers    []answer        // answers of the nodes in order; nil: no requests were sent
	moved      bool            // an answer to a question changed the address of a node
	frontendUp bool            // an address of the balancer answered
	confirmed  map[string]bool // keys of evidence that can be read from this machine
}

// A node is an entry of the nodes list.
type node struct {
	ID, URL, Host, Label, Server string
	Weight                       int
	Down, Backup                 bool
	From                         string        // line of the file; "": from flags
	Unlisted                     phrase.Phrase // why its address is not known; zero: it is
	Protocol                     probes.NodeProtocol
}

func newCandidate(u *upstream, all []*upstream, opts Options) *candidate {
	u.dropInvalid()
	c := &candidate{upstream: u, profile: opts.Profile, skeleton: u.incomplete(), confirmed: map[string]bool{}}
	c.hint = u.hint(all)
	if u.discovered() {
		u.guess("nodes", u.dynamic)
	}
	if !u.tcp.IsZero() {
		u.addComment("balancer.method", phrase.New("%s: it balances connections, and sees no requests or cookies", u.tcp))
	}
	backup := func(s server) bool { return s.backup }
	if slices.ContainsFunc(u.servers, backup) && slices.Contains(noBackup, u.method) {
		u.guess("balancer.method", phrase.New("the file says %s; with backup servers stickwatch cannot predict nodes", u.method))
		u.method, u.hashKey, u.consistent = probes.MethodUnknown, "", false
	}
	if u.missing && u.method.Hashes() {
		u.guess("balancer.method", phrase.New("the file says %s, but not all its servers are nodes: stickwatch cannot predict nodes", u.method))
		u.method, u.hashKey, u.consistent = probes.MethodUnknown, "", false
	}
	c.chooseSite(opts.Balancer)
	c.base = c.site.base()
	c.commentRoutes()
	c.nodes = c.newNodes()
	return c
}

// chooseSite sets the place where users are served, with its addresses and routes: the
// given addresses, else those of the best site of the file, else a guess.
func (c *candidate) chooseSite(addresses []string) {
	if len(c.sites) > 0 {
		c.site = *slices.MinFunc(c.sites, func(a, b *site) int { return a.rank() - b.rank() })
	} else {
		c.site = site{position: c.position}
	}
	if len(addresses) > 0 {
		c.site.frontends = nil
		for _, address := range addresses {
			c.site.addFrontend(frontend{url: strings.TrimRight(address, "/")})
		}
		return
	}
	if len(c.site.frontends) == 0 {
		why := phrase.New("nothing in the file routes users to %s: write the address for users", c.name)
		if len(c.sites) > 0 {
			why = guessedAddress
		}
		c.site.addFrontend(frontend{position: c.site.position, url: "http://" + localhost, guess: why})
	}
	for _, other := range c.sites {
		for _, front := range other.frontends {
			known := func(f frontend) bool { return f.url == front.url }
			if other.position != c.site.position && front.guess != guessedAddress && !slices.ContainsFunc(c.site.frontends, known) {
				c.addComment("balancer.url", phrase.New("another address for users is %s (%s)", front.url, front.position))
			}
		}
	}
	for _, front := range c.site.frontends {
		if !front.guess.IsZero() {
			c.guess("balancer.url", front.withPosition(front.guess))
		}
	}
}

// rank orders sites by how likely users are served there, the best first: a GET reaches
// it, by the same paths as at the nodes, on a usual port, at a certain address.
func (s *site) rank() int {
	rank := 0
	for _, worse := range []bool{
		!slices.ContainsFunc(s.routes, func(r route) bool { return r.taken.IsZero() }),
		s.base() != route{},
		!slices.ContainsFunc(s.frontends, func(front frontend) bool { return front.port == "80" || front.port == "443" }),
		len(s.frontends) == 0 || !s.frontends[0].guess.IsZero(),
	} {
		rank *= 2
		if worse {
			rank++
		}
	}
	return rank
}

// base returns the prefix of the paths where one location maps all paths of the nodes
// below its own. Most upstreams have none.
func (s *site) base() route {
	var found route
	for _, r := range s.routes {
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
	found.path, found.to = strings.TrimRight(found.path, "/"), strings.TrimRight(found.to, "/")
	return found
}

// commentRoutes notes the routes that are not below the base.
func (c *candidate) commentRoutes() {
	if c.base == (route{}) {
		return
	}
	for _, r := range c.site.routes {
		if strings.TrimRight(r.path, "/") != c.base.path {
			c.addComment("balancer.url", r.remark("%s leads there, too", r.path))
		}
	}
}

// reaches reports whether the balancer passes a path to the nodes, as far as is known.
func (c *candidate) reaches(path string) bool {
	if c.base != (route{}) || len(c.sites) == 0 && c.conditions == nil {
		return true
	}
	return slices.ContainsFunc(c.site.routes, func(r route) bool {
		if r.path == path {
			return r.taken.IsZero()
		}
		return !r.exact && strings.HasPrefix(path, r.path)
	})
}

// samplePage returns a page that a GET through the balancer reaches at the nodes, below
// the base. It returns false if there is none that the file shows.
func (c *candidate) samplePage() (page route, ok bool) {
	switch {
	case c.base != (route{}):
		page = c.base
		page.path = "/"
		return page, page.taken.IsZero()
	case len(c.sites) == 0 && c.conditions == nil:
		return route{path: "/"}, true
	}
	usable := slices.DeleteFunc(slices.Clone(c.site.routes), func(r route) bool { return !r.taken.IsZero() || strings.HasPrefix(r.path, engineIO) })
	if len(usable) == 0 {
		return route{}, false
	}
	return *slices.MinFunc(pointers(usable), func(a, b *route) int { return a.rank() - b.rank() }), true
}

// engineIO begins the path of socket.io, where a plain GET is an error.
const engineIO = "/socket.io"

// rank orders routes by how well their paths suit as a page: all pages, those below a
// path, a single one, a guess.
func (r *route) rank() int {
	switch {
	case !r.guess.IsZero():
		return 3
	case r.exact && r.path != "/":
		return 2
	case r.path != "/":
		return 1
	}
	return 0
}

func pointers[T any](all []T) []*T {
	var out []*T
	for i := range all {
		out = append(out, &all[i])
	}
	return out
}

// newNodes returns the servers as nodes, without duplicate addresses.
func (c *candidate) newNodes() []node {
	ids := serverIDs(c.servers)
	ajp := newAJPPorts(c.servers)
	var nodes []node
	for i, from := range c.servers {
		scheme, address := from.scheme, c.portOf(from)
		if scheme == "ajp" {
			scheme, address = "http", ajp.web(address)
			c.guess("nodes", from.remark("%s speaks AJP, which only balancers do: write the port of its HTTP connector instead of %s", from.address, address))
		}
		if isPlaceholder(from.address) { // whoever completes the file must not overlook it
			_, port := splitAddress(address)
			address = "NODE" + strconv.Itoa(i+1) + ":" + cmp.Or(port, "80")
			from.address = address
		}
		n := node{
			ID: ids[i], URL: scheme + "://" + address + strings.TrimRight(from.path, "/") + c.base.to, Server: from.address,
			Weight: from.weight, Down: from.down && from.unlisted.IsZero(), Backup: from.backup, From: from.position.String(), Unlisted: from.unlisted,
			Protocol: cmp.Or(from.protocol, c.protocol),
		}
		if n.Protocol == probes.ProtocolH2C && scheme == "https" {
			n.Protocol = "" // HTTP/2 with TLS
		}
		if from.name != "" && from.name != n.ID && !isVariable(from.name) {
			n.Server = from.name
		}
		if n.Server == address || n.Server == n.ID {
			n.Server = ""
		}
		if c.site.hostHeader != address {
			n.Host = c.site.hostHeader
		}
		if from.label != "" && from.label != n.ID {
			n.Label = from.label
		}
		if slices.ContainsFunc(nodes, func(known node) bool { return known.URL == n.URL && n.Unlisted.IsZero() }) {
			c.guess("nodes", from.remark("%s is a duplicate, and is written only once here", address))
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// portOf returns the address of a server, with the port to which the client connected
// where it has none of its own.
func (c *candidate) portOf(from server) string {
	if !from.sameport || !from.unlisted.IsZero() {
		return from.address
	}
	host, _ := splitAddress(from.address)
	port, err := strconv.Atoi(c.site.frontends[0].port)
	if err != nil {
		c.guess("nodes", from.remark("%s has no port of its own, and gets the port to which the client connected: write it", from.address))
		port = 80 - from.shift
	}
	return net.JoinHostPort(host, strconv.Itoa(port+from.shift))
}

// ajpPorts guesses the HTTP ports of Tomcats by their AJP ports.
type ajpPorts struct {
	hosts map[string]int    // servers on each host
	taken map[string]string // web addresses by AJP address
}

func newAJPPorts(servers []server) ajpPorts {
	a := ajpPorts{map[string]int{}, map[string]string{}}
	for _, s := range servers {
		host, _ := splitAddress(s.address)
		a.hosts[host]++
	}
	return a
}

// web returns the web address of a Tomcat: port 8080 beside 8009. Several Tomcats of a
// machine usually shift both ports by the same number.
func (a ajpPorts) web(address string) string {
	host, port := splitAddress(address)
	n, err := strconv.Atoi(port)
	beside := 8080
	if shift := n - 8009; err == nil && shift != 0 && (a.hosts[host] > 1 || shift%100 == 0 || shift > 0 && shift < 100) && 8080+shift > 0 && 8080+shift < 1<<16 {
		beside += shift
	}
	return strings.TrimPrefix(webAddress("http", host, strconv.Itoa(beside)), "http://")
}

// serverIDs returns unique ids for servers: their names, their host names, or numbers.
// All ids are of the same kind.
func serverIDs(servers []server) []string {
	if len(servers) == 0 {
		return nil
	}
	for _, call := range []func(int, server) string{
		func(_ int, s server) string {
			if isVariable(s.name) {
				return ""
			}
			return s.name
		},
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
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || !s.unlisted.IsZero() {
		return ""
	}
	name, _, _ := strings.Cut(host, ".")
	return name
}
