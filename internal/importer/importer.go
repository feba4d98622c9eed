// Package importer reads a balancer's configuration, queries the nodes, and writes a
// stickwatch.yml for the clusters behind the balancer.
//
// The files of all products are parsed into the same tree of directives with positions,
// and the reader of each product converts that tree to upstreams. The later stages do
// not depend on the product.
//
// A file does not contain everything, for example the public address of the balancer or
// the application. Missing facts are guessed. Each guess is marked by a comment in the
// written file and printed by the command, so that the user can check it.
package importer

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A Product is a balancer whose configuration can be imported.
type Product string

// The products.
const (
	Nginx   Product = "nginx"   // nginx.conf with its includes, a part of one, or the output of `nginx -T`
	Apache  Product = "apache"  // httpd.conf with its includes
	HAProxy Product = "haproxy" // haproxy.cfg
	Caddy   Product = "caddy"   // a Caddyfile with its imports

	Traefik    Product = "traefik"    // a dynamic configuration, YAML or TOML, or a compose file with labels
	Envoy      Product = "envoy"      // a static bootstrap, YAML or JSON
	Kubernetes Product = "kubernetes" // manifests of Ingresses and Services
	ModJK      Product = "mod-jk"     // workers.properties
)

// readers are the parsers of the products, with the product's word for an upstream.
var readers = map[Product]struct {
	read      func(src source, file string) (*parsedConfig, error)
	groupName string
}{
	Nginx:   {readNginx, "upstream"},
	Apache:  {readApache, "balancer"},
	HAProxy: {readHAProxy, "backend"},
	Caddy:   {readCaddy, "reverse_proxy"},

	Traefik:    {readTraefik, "service"},
	Envoy:      {readEnvoy, "cluster"},
	Kubernetes: {readKubernetes, "Ingress"},
	ModJK:      {readModJK, "worker of the type lb"},
}

// Products lists every Product.
var Products = []Product{Nginx, Apache, HAProxy, Caddy, Traefik, Envoy, Kubernetes, ModJK}

// Options select what to import from a file. The zero value selects every upstream, and
// detects the application.
type Options struct {
	Upstreams []string  // names of upstreams; none: all that are clusters
	Profile   string    // profile; "": detected
	Balancer  []string  // public addresses of the balancer; none: those of the file
	Stdin     io.Reader // contents of the file "-"
}

// An Import contains the facts about clusters before they are monitored.
type Import struct {
	from       string // source of the facts
	candidates []*candidate
	noteList
	silent noteList // what did not answer the last Ask
	asked  int      // number of questions
}

// Read reads the configuration of a balancer. It returns an error, with the file and
// usually the line, for an invalid file or one without an upstream.
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
		return nil, fmt.Errorf("%s: there is no %s with servers in it%s", s.from, reader.groupName, found.instead())
	}
	for _, u := range found.upstreams {
		u.checkAddresses()
		found.nameFrontends(u)
		u.name = cmp.Or(probes.Clean(u.name, 100), fmt.Sprintf("%s-%d", u.kind, u.line))
	}
	if err := found.distinct(); err != nil {
		return nil, err
	}
	chosen, err := s.choose(found, opts.Upstreams)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(chosen, (*upstream).complete) {
		return nil, fmt.Errorf("%s: %w: %s", s.from, errNoUpstream, strings.Join(unfitReasons(found.upstreams), "; "))
	}
	for _, u := range chosen {
		s.candidates = append(s.candidates, newCandidate(u, found.upstreams, opts))
	}
	return s, nil
}

// maxSeen limits the facts listed in an error.
const maxSeen = 3

// instead returns what a file without an upstream has, and what to do about it.
func (p *parsedConfig) instead() string {
	var facts, advice []string
	for _, s := range p.unusable[:min(len(p.unusable), maxSeen)] {
		facts = append(facts, english(s.withPosition(s.what)))
		if text := english(s.advice); text != "" && !slices.Contains(advice, text) {
			advice = append(advice, text)
		}
	}
	if more := len(p.unusable) - maxSeen; more > 0 {
		facts = append(facts, fmt.Sprintf("and %d more", more))
	}
	for _, note := range p.noteList[:min(len(p.noteList), maxSeen)] {
		facts = append(facts, english(note))
	}
	if len(facts) == 0 && len(p.has) > 0 {
		facts = append(facts, "it has "+strings.Join(p.has[:min(len(p.has), maxNames)], ", "))
	}
	if len(facts) == 0 {
		return ""
	}
	return " (" + strings.Join(append([]string{strings.Join(facts, "; ")}, advice...), ": ") + ")"
}

// english returns a phrase as a part of an error. It may quote the file.
func english(p phrase.Phrase) string { return probes.Clean(p.String(), maxNote) }

// choose returns the upstreams of those names; without names, all that are clusters of
// web servers, and those whose servers the file does not list. It adds notes about the
// others.
func (imp *Import) choose(found *parsedConfig, names []string) ([]*upstream, error) {
	if len(names) > 0 {
		return imp.named(found, names)
	}
	takes := func(u *upstream) bool {
		return u.unfitReason().IsZero() || !u.complete() && u.tcp.IsZero() && !u.unrouted
	}
	if !slices.ContainsFunc(found.upstreams, func(u *upstream) bool { return takes(u) && u.complete() }) { // a small upstream is better than none
		takes = func(u *upstream) bool { return u.tcp.IsZero() && !u.unrouted && (!u.complete() || u.serves()) }
	}
	var chosen []*upstream
	for _, u := range found.upstreams {
		if takes(u) {
			chosen = append(chosen, u)
		} else {
			imp.note("%s %s: it is left out%s", u.subject(), u.unfitReason(), u.wouldTake())
		}
	}
	for _, other := range found.unusable {
		if other.users {
			imp.note("%s: it is left out", other.withPosition(other.what))
		}
	}
	return chosen, nil
}

// wouldTake returns the advice to name u, if that helps.
func (u *upstream) wouldTake() phrase.Phrase {
	if !u.serves() || !u.complete() {
		return phrase.Phrase{}
	}
	return phrase.New("; --upstream %s would take it", u.name)
}

// subject returns the kind, the name and the position of u.
func (u *upstream) subject() phrase.Phrase {
	return phrase.New("%s (%s)", u.kind+" "+u.name, u.position)
}

func (imp *Import) named(found *parsedConfig, names []string) ([]*upstream, error) {
	var chosen []*upstream
	for _, name := range names {
		u := found.named(name)
		switch {
		case u == nil:
			return nil, fmt.Errorf("%s has no upstream %s: it has %s", imp.from, quoted(name), upstreamNames(found.upstreams))
		case !u.serves() && u.complete():
			return nil, u.errorf("%s %s %s", u.kind, quoted(name), english(u.unfitReason()))
		case !slices.Contains(chosen, u):
			chosen = append(chosen, u)
		}
	}
	return chosen, nil
}

// maxNames limits the upstreams listed in an error.
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
	for _, u := range upstreams[:min(len(upstreams), maxSeen)] {
		out = append(out, english(phrase.New("%s %s%s", u.subject(), u.unfitReason(), u.wouldTake())))
	}
	if more := len(upstreams) - maxSeen; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}

// serves reports whether any server of u gets clients.
func (u *upstream) serves() bool {
	return u.discovered() || slices.ContainsFunc(u.servers, func(s server) bool { return !s.down && !s.backup && s.unlisted.IsZero() })
}

// nodesFrom reports whether stickwatch.yml has nodes_from. With it, an upstream whose
// servers are in DNS is complete.
const nodesFrom = true

// discovered reports whether the configuration can have the source of u's servers.
func (u *upstream) discovered() bool { return nodesFrom && u.discovery != nil }

// incomplete returns why the file does not list all servers of u as web servers; zero: it
// does.
func (u *upstream) incomplete() phrase.Phrase {
	var why []phrase.Phrase
	if !u.dynamic.IsZero() && !u.discovered() {
		why = append(why, u.dynamic)
	}
	for _, s := range u.servers {
		if !s.unlisted.IsZero() {
			why = append(why, s.withPosition(s.unlisted))
		}
	}
	return phrase.Join(why[:min(len(why), maxSeen)], "; ")
}

// complete reports whether the file lists all servers of u.
func (u *upstream) complete() bool { return u.incomplete().IsZero() }

// unfitReason returns why u is not a cluster of web servers; zero: it is one.
func (u *upstream) unfitReason() phrase.Phrase {
	switch {
	case !u.tcp.IsZero():
		return phrase.New("is in %s, which may be no web server", u.tcp)
	case !u.complete():
		return phrase.New("has no complete list of web servers (%s): %s", u.incomplete(), u.howToComplete())
	case len(u.servers) == 0 && !u.discovered():
		return phrase.New("has no server that can be probed")
	case !u.serves():
		return phrase.New("has no server that gets clients: all are down or backup")
	case u.unrouted:
		return phrase.New("has no route that leads users there")
	case len(u.servers) == 1 && !u.partial && !u.discovered():
		return phrase.New("has one server, which is no cluster")
	}
	return phrase.Phrase{}
}

// howToComplete returns the advice about an upstream whose servers the file does not
// list.
func (u *upstream) howToComplete() phrase.Phrase {
	flags := phrase.New("describe the cluster with --balancer URL --node ID=URL")
	if slices.ContainsFunc(u.servers, func(s server) bool { return !s.unlisted.IsZero() }) {
		return phrase.New("write their addresses in a copy of the file, or %s", flags)
	}
	return flags
}

// FromFlags returns an Import of the single cluster that flags describe. The error is
// config.Problems with flags as keys.
func FromFlags(f config.Flags) (*Import, error) {
	cfg, err := config.FromFlags(f)
	if err != nil {
		return nil, err
	}
	cluster := cfg.Clusters[0]
	u := &upstream{name: cluster.Name, method: probes.Method(f.Method), clientIPHeader: f.ClientIPHeader}
	c := &candidate{upstream: u, profile: f.Profile, confirmed: map[string]bool{}}
	for _, address := range f.Balancer {
		c.site.frontends = append(c.site.frontends, frontend{url: address})
	}
	for _, n := range cluster.Nodes {
		c.nodes = append(c.nodes, node{ID: n.ID, URL: n.URL.String(), Weight: n.Weight})
	}
	return &Import{candidates: []*candidate{c}}, nil
}
