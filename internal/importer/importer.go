package importer

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"stickwatch/probes"
)

// A Product is a balancer whose configuration can be read.
type Product string

// The products.
const (
	Nginx   Product = "nginx"   // nginx.conf with what it includes, a part of one, or the output of `nginx -T`
	Apache  Product = "apache"  // httpd.conf with what it includes
	HAProxy Product = "haproxy" // haproxy.cfg
	Caddy   Product = "caddy"   // a Caddyfile with what it imports
)

// readers are how each product's file becomes upstreams, and what those are
// called there.
var readers = map[Product]struct {
	read      func(src source, file string) (*parsedConfig, error)
	groupName string
}{
	Nginx:   {readNginx, "upstream"},
	Apache:  {readApache, "balancer"},
	HAProxy: {readHAProxy, "backend"},
	Caddy:   {readCaddy, "reverse_proxy"},
}

// Products lists every Product.
var Products = []Product{Nginx, Apache, HAProxy, Caddy}

// Options say what is wanted of a file. The zero value asks for every upstream,
// and for a guess at what runs on it.
type Options struct {
	Upstreams []string  // names; none: all that are clusters
	Profile   string    // what runs there; "": it is found out
	Balancer  []string  // addresses on which users arrive; none: those of the file
	Stdin     io.Reader // of the file "-"
}

// A Import is what is known of clusters before anybody watches them.
type Import struct {
	from       string // where it is known from
	candidates []*candidate
	noteList
}

// Read reads the configuration of a balancer. It fails on a file that is broken
// or has no upstream, and names the file and mostly the line.
func Read(p Product, file string, opts Options) (*Import, error) {
	return read(p, diskFiles{opts.Stdin}, file, opts)
}

func read(p Product, src source, file string, opts Options) (*Import, error) {
	reader := readers[p]
	found, err := reader.read(src, file)
	if err != nil {
		return nil, err
	}
	s := &Import{from: position{file: file}.String(), noteList: found.noteList}
	if len(found.upstreams) == 0 {
		return nil, fmt.Errorf("%s: there is no %s with servers in it%s", s.from, reader.groupName, seenNotes(s.noteList))
	}
	for _, u := range found.upstreams {
		u.name = cmp.Or(probes.Clean(u.name, 100), fmt.Sprintf("%s-%d", u.kind, u.line))
	}
	if err := found.distinct(); err != nil {
		return nil, err
	}
	chosen, err := s.choose(found, opts.Upstreams)
	if err != nil {
		return nil, err
	}
	for _, u := range chosen {
		s.candidates = append(s.candidates, newCandidate(u, found.upstreams, opts))
	}
	return s, nil
}

// seenNotes is what may explain that nothing was found.
func seenNotes(notes noteList) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes[:min(len(notes), 3)], "; ") + ")"
}

// choose returns the upstreams of those names; without names, those that are
// clusters of web servers, and notes why others are not.
func (s *Import) choose(found *parsedConfig, names []string) ([]*upstream, error) {
	if len(names) > 0 {
		return s.named(found, names)
	}
	var chosen []*upstream
	var left []string
	for _, u := range found.upstreams {
		if why := u.unfitReason(); why != "" {
			left = append(left, fmt.Sprintf("%s %s (%s) %s: it is left out; --upstream %s would take it", u.kind, u.name, u.position, why, u.name))
			continue
		}
		chosen = append(chosen, u)
	}
	if len(chosen) == 0 { // better one that is small than none
		chosen = slices.DeleteFunc(slices.Clone(found.upstreams), func(u *upstream) bool { return u.tcp || !u.serves() })
		left = nil
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s: no upstream can be watched: %s", s.from, strings.Join(unfitReasons(found.upstreams), "; "))
	}
	for _, why := range left {
		s.note("%s", why)
	}
	return chosen, nil
}

func (s *Import) named(found *parsedConfig, names []string) ([]*upstream, error) {
	var chosen []*upstream
	for _, name := range names {
		u := found.named(name)
		switch {
		case u == nil:
			return nil, fmt.Errorf("%s has no upstream %s: it has %s", s.from, quoted(name), upstreamNames(found.upstreams))
		case !u.serves():
			return nil, u.errorf("%s %s %s", u.kind, quoted(name), u.unfitReason())
		case !slices.Contains(chosen, u):
			chosen = append(chosen, u)
		}
	}
	return chosen, nil
}

// maxNames bounds how many upstreams are told in an error.
const maxNames = 20

func upstreamNames(upstreams []*upstream) string {
	var names []string
	for _, u := range upstreams {
		if len(names) == maxNames {
			names = append(names, fmt.Sprintf("and %d more", len(upstreams)-maxNames))
			break
		}
		names = append(names, u.name)
	}
	return strings.Join(names, ", ")
}

func unfitReasons(upstreams []*upstream) (out []string) {
	for _, u := range upstreams[:min(len(upstreams), maxNames)] {
		out = append(out, fmt.Sprintf("%s %s (%s) %s", u.kind, u.name, u.position, u.unfitReason()))
	}
	return out
}

// serves reports whether anybody in u gets clients.
func (u *upstream) serves() bool {
	return slices.ContainsFunc(u.servers, func(s server) bool { return !s.down && !s.backup })
}

// unfitReason is why u is no cluster of web servers; "": it is one.
func (u *upstream) unfitReason() string {
	switch {
	case len(u.servers) == 0:
		return "has no server that can be asked"
	case !u.serves():
		return "has no server that gets clients: all are down or backup"
	case u.tcp:
		return "is in mode tcp, which may be no web server"
	case len(u.servers) == 1 && !u.partial:
		return "has one server, which is no cluster"
	}
	return ""
}
