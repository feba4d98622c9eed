package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A jkReader extracts the load balancers of mod_jk's workers.properties.
type jkReader struct {
	parsedConfig
	workers map[string]value // by names
	names   []string         // of workers, in order
}

// readModJK parses workers.properties.
func readModJK(src source, file string) (*parsedConfig, error) {
	text, err := src.read(file)
	if err != nil {
		return nil, err
	}
	reader := &jkReader{workers: map[string]value{}}
	if err := reader.properties(file, text); err != nil {
		return nil, err
	}
	for _, name := range reader.names {
		w := reader.workers[name]
		switch kind := reader.property(name, "type"); kind.text {
		case "lb":
			if err := reader.addBalancer(name, w); err != nil {
				return nil, err
			}
		case "ajp13", "ajp14", "":
			reader.recordUnusable(w.position, phrase.New("the worker %s", name), oneServer)
		}
	}
	return &reader.parsedConfig, nil
}

// jkVariable matches a reference to another property.
var jkVariable = regexp.MustCompile(`\$\([^()]+\)`)

// properties parses lines of worker.NAME.PROPERTY=VALUE, with $(VARIABLE).
func (r *jkReader) properties(file, text string) error {
	variables := map[string]string{}
	for _, l := range logicalLines(text) {
		at := position{file, l.number}
		line := strings.TrimSpace(l.text)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, setting, ok := strings.Cut(line, "=")
		if !ok {
			return at.errorf("%s: expected KEY=VALUE, such as worker.NAME.type=lb", quoted(line))
		}
		key = strings.TrimSpace(key)
		setting = jkVariable.ReplaceAllStringFunc(strings.TrimSpace(setting), func(reference string) string {
			return cmp.Or(variables[reference[2:len(reference)-1]], reference)
		})
		if len(setting) > maxPattern {
			return at.errorf("the value has more than %d bytes", maxPattern)
		}
		variables[key] = setting
		path := strings.Split(key, ".")
		if path[0] != "worker" || len(path) != 3 {
			continue // worker.list and variables
		}
		w, known := r.workers[path[1]]
		if !known {
			r.names = append(r.names, path[1])
		}
		w.set(path[2:], value{position: at, text: setting})
		r.workers[path[1]] = w
	}
	return nil
}

// property returns a property of a worker, or of the one that it refers to.
func (r *jkReader) property(name string, keys ...string) value {
	for range maxDepth {
		w := r.workers[name]
		for _, key := range keys {
			if v := w.get(key); v.exists() {
				return v
			}
		}
		if name = strings.TrimPrefix(w.get("reference").text, "worker."); name == "" {
			break
		}
	}
	return value{}
}

// addBalancer adds a worker of the type lb.
func (r *jkReader) addBalancer(name string, w value) error {
	u := &upstream{
		position: w.position, kind: "worker", name: name, method: probes.MethodCookie,
		routeCookie: cmp.Or(r.property(name, "session_cookie").text, "JSESSIONID"),
		evidence:    map[string]string{},
		ejection:    ejection{maxFails: 1, failTimeout: 60 * time.Second, derivedFrom: phrase.New("the first failed connection ejects a worker, for recover_time")},
	}
	if t := r.property(name, "recover_time"); t.exists() {
		d, err := parseDuration(t.text, time.Second)
		if err != nil {
			return t.errorf("recover_time %s: %w", quoted(t.text), err)
		}
		u.ejection.failTimeout, u.ejection.explicit = d, true
	}
	if sticky := r.property(name, "sticky_session"); sticky.exists() && !jkTrue(sticky.text) {
		u.method, u.routeCookie = probes.MethodRoundRobin, ""
	}
	if method := r.property(name, "method").text; u.method == probes.MethodRoundRobin && strings.HasPrefix(strings.ToUpper(method), "B") {
		u.method = probes.MethodLeastConn
	}
	members := r.property(name, "balance_workers", "balanced_workers")
	for member := range strings.FieldsFuncSeq(members.text, func(c rune) bool { return strings.ContainsRune(", \t", c) }) {
		if err := r.addMember(u, member, members.position); err != nil {
			return err
		}
	}
	r.upstreams = append(r.upstreams, u)
	return nil
}

// jkTrue reports whether a property is on. mod_jk looks at the first letter; "o" is on, except in off.
func jkTrue(text string) bool {
	return text != "" && slices.Contains([]string{"t", "y", "1", "o"}, strings.ToLower(text[:1])) && !strings.EqualFold(text, "off")
}

// addMember adds a worker to a balancer.
func (r *jkReader) addMember(u *upstream, name string, at position) error {
	w, known := r.workers[name]
	if !known {
		return at.errorf("balance_workers names %s, which has no properties in this file", quoted(name))
	}
	host, port := cmp.Or(r.property(name, "host").text, "localhost"), cmp.Or(r.property(name, "port").text, "8009")
	s := server{
		position: w.position, scheme: "ajp", weight: 1, address: host + ":" + port,
		name: cmp.Or(r.property(name, "route", "jvm_route", "domain").text, name),
	}
	switch {
	case isVariable(s.address):
		s.unlisted = notKnown(s.address)
	case !validAddress(s.address):
		return w.errorf("worker %s: expected a host and a port, got %s", quoted(name), quoted(s.address))
	}
	if factor := r.property(name, "lbfactor"); factor.exists() {
		n, err := atLeast(factor.text, 0)
		if err != nil {
			return factor.errorf("lbfactor %s: %w", quoted(factor.text), err)
		}
		s.weight, s.down = max(n, 1), n == 0
	}
	if activation := strings.ToUpper(r.property(name, "activation").text); strings.HasPrefix(activation, "D") || strings.HasPrefix(activation, "S") {
		s.down = true // disabled or stopped
	}
	if distance := r.property(name, "distance").text; distance != "" && distance != "0" {
		s.backup = true
	}
	u.servers = append(u.servers, s)
	return nil
}
