package importer

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// A draft is a cluster as the template writes it. Fields and methods that return "" or
// nil are left out.
type draft struct {
	Name, Origin string
	Profile      string
	URLs         []string
	Method       probes.Method
	HashKey      string
	Consistent   bool
	MaxFails     int
	FailTimeout  string // "": neither this nor MaxFails is known
	ClientHeader string
	Evidence     []keyValue // readable from this machine
	Withheld     []keyValue // not readable, or not checked
	Nodes        []node
	Session      []keyValue
	Policy       string
	NoStatus     bool
	Pages        []string

	keyComments []keyComment
}

// A keyValue is a line "key: value" with the value in YAML.
type keyValue struct{ Key, Value string }

// draft completes s with guesses for everything unknown.
func (s *candidate) draft() draft {
	app := s.application()
	d := draft{
		Name: s.name, Origin: s.origin(),
		Profile:      cmp.Or(app.profile, "generic"),
		Method:       s.method,
		HashKey:      s.hashKey,
		Consistent:   s.consistent,
		MaxFails:     s.ejection.maxFails,
		ClientHeader: s.clientIPHeader,
		Nodes:        s.nodes,
		keyComments:  slices.Clone(s.keyComments),
	}
	for _, e := range s.frontends {
		d.URLs = append(d.URLs, e.url+s.base.path)
	}
	for _, key := range slices.Sorted(maps.Keys(s.evidence)) {
		line := keyValue{key, yaml(s.evidence[key])}
		if s.confirmed[key] {
			d.Evidence = append(d.Evidence, line)
		} else {
			d.Withheld = append(d.Withheld, line)
		}
	}
	if app.why != "" {
		d.keyComments = append(d.keyComments, keyComment{"profile", app.why, app.guessed})
	}
	if s.kind != "" { // flags have no ejection settings
		d.commentEjection(s.ejection)
	}
	d.setProfile(s, app)
	d.commentNodes(s)
	return d
}

func (s *candidate) origin() string {
	if s.kind == "" {
		return ""
	}
	return probes.Clean(s.kind+" "+s.name, 120) + ", " + s.position.String()
}

// wholeSeconds rounds d to whole seconds, the unit of fail_timeout, at least one.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

func (d *draft) commentEjection(e ejection) {
	d.MaxFails, d.FailTimeout = e.maxFails, config.FormatDuration(wholeSeconds(e.failTimeout))
	switch {
	case e.derivedFrom != "":
		d.keyComments = append(d.keyComments, keyComment{key: "balancer.max_fails", text: e.derivedFrom})
	case !e.explicit:
		d.keyComments = append(d.keyComments, keyComment{key: "balancer.max_fails", text: "not in the file: the balancer's defaults"})
	}
}

// commentNodes drops labels that no extractor reads, and adds comments on the nodes.
func (d *draft) commentNodes(s *candidate) {
	labelled := slices.ContainsFunc(d.Session, func(k keyValue) bool { return strings.Contains(k.Value, "balancer_cookie") })
	d.Nodes = slices.Clone(d.Nodes)
	for i := range d.Nodes {
		if !labelled {
			d.Nodes[i].Label = ""
		}
	}
	if labelled && s.secret {
		d.guess("session", "the balancer's file has a secret for the cookie "+s.cookie+": set STICKWATCH_COOKIE_SECRET to it where stickwatch runs")
	}
	if slices.ContainsFunc(d.Nodes, func(n node) bool { return strings.HasPrefix(n.URL, "https:") }) {
		d.keyComments = append(d.keyComments, keyComment{key: "nodes", text: "their certificates are checked: where they are of your own authority, add tls: {ca_file: FILE}"})
	}
}

func (d *draft) guess(key, text string) {
	d.keyComments = append(d.keyComments, keyComment{key, text, true})
}

// Line formats a node as a flow mapping.
func (n node) Line() string {
	words := []string{"id", n.ID, "url", n.URL, "host", n.Host, "label", n.Label, "server", n.Server}
	line := strings.TrimSuffix(mapping(words...), "}")
	if n.Weight > 1 {
		line += ", weight: " + strconv.Itoa(n.Weight)
	}
	if n.Down {
		line += ", down: true"
	}
	if n.Backup {
		line += ", backup: true"
	}
	return line + "}"
}
