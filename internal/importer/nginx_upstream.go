package importer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// nginxEjection is nginx's default for a server line.
var nginxEjection = ejection{maxFails: 1, failTimeout: 10 * time.Second}

// upstream parses an upstream block.
func (r *nginxReader) upstream(d directive) (*upstream, error) {
	u := &upstream{
		position: d.position, kind: "upstream", name: d.arg(0),
		method: probes.MethodRoundRobin, ejection: nginxEjection,
		evidence: map[string]string{},
	}
	mixed := false
	for line := range among(d.block, "server") {
		if strings.HasPrefix(line.arg(0), "unix:") {
			u.guess("nodes", line.position.String()+": "+line.arg(0)+" is a socket, which cannot be probed: its node is not in this file")
			continue
		}
		s, e, err := nginxServer(line)
		if err != nil {
			return nil, err
		}
		switch first := len(u.servers) == 0; {
		case first:
			u.ejection = e
		case e != u.ejection && !mixed:
			mixed = true
			u.guess("balancer.max_fails", line.position.String()+": this server has another max_fails or fail_timeout than the first one, whose values are used")
		}
		u.servers = append(u.servers, s)
	}
	nginxMethod(u, d.block)
	for _, s := range u.servers {
		if s.backup && slices.Contains(noBackup, u.method) {
			return nil, s.errorf("server %s: \"backup\": the method %s does not support it, and nginx refuses to start", quoted(s.address), u.method)
		}
	}
	return u, nil
}

// noBackup are the methods that do not support backup servers.
var noBackup = []probes.Method{probes.MethodIPHash, probes.MethodHash, probes.MethodRandom}

// serverParameter matches parameters of a server line, including those of modules.
var serverParameter = regexp.MustCompile(`^(down|backup|resolve|drain|[a-z_]+=.*)$`)

// nginxServer parses a server line of an upstream.
func nginxServer(d directive) (server, ejection, error) {
	s, e := server{position: d.position, scheme: "http", address: d.arg(0), weight: 1}, nginxEjection
	if !validAddress(s.address) {
		return s, e, d.errorf("server: expected HOST or HOST:PORT, got %s", quoted(s.address))
	}
	for _, arg := range d.args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if !serverParameter.MatchString(arg) {
			return s, e, d.errorf("server %s: invalid parameter %s: is a \";\" missing, or is it from a document?", quoted(s.address), quoted(arg))
		}
		var err error
		switch name {
		case "weight":
			s.weight, err = atLeast(value, 1)
		case "max_fails":
			e.maxFails, err = atLeast(value, 0)
			e.explicit = true
		case "fail_timeout":
			e.failTimeout, err = nginxTime(value)
			e.explicit = true
		case "down":
			s.down = true
		case "backup":
			s.backup = true
		case "route", "srun_id", "id":
			s.label = value
		}
		if err != nil {
			return s, e, d.errorf("server %s: %s: %w", quoted(s.address), quoted(arg), err)
		}
	}
	return s, e, nil
}

// nginxMethod determines the balancing method of an upstream.
func nginxMethod(u *upstream, block []directive) {
	for _, d := range block {
		switch d.name {
		case "ip_hash":
			u.method = probes.MethodIPHash
		case "least_conn":
			u.method = probes.MethodLeastConn
		case "random":
			u.method = probes.MethodRandom
		case "hash":
			u.nginxHash(d)
		case "sticky", "session_sticky":
			u.nginxSticky(d)
		case "jvm_route": // nginx-upstream-jvm-route: $cookie_JSESSIONID|sessionid
			u.method = probes.MethodCookie
			name, _, _ := strings.Cut(d.arg(0), "|")
			u.routeCookie = strings.TrimPrefix(name, "$cookie_")
		case "least_time", "fair", "ewma", "balancer_by_lua_block", "balancer_by_lua_file":
			u.method = probes.MethodUnknown
			u.addComment("balancer.method", d.position.String()+": "+d.name+" cannot be predicted by clients")
		}
	}
}

var hashKey = regexp.MustCompile(`^\$(remote_addr|http_[a-z0-9_]+|cookie_[A-Za-z0-9_]+)$`)

func (u *upstream) nginxHash(d directive) {
	u.method = probes.MethodHash
	u.consistent = d.arg(1) == "consistent"
	if hashKey.MatchString(d.arg(0)) {
		u.hashKey = d.arg(0)
		return
	}
	u.addComment("balancer.method", d.position.String()+": its key "+d.arg(0)+" cannot be chosen by a prober")
}

// nginxSticky parses `sticky` of nginx 1.29.6 and of nginx-sticky-module, and Tengine's
// session_sticky.
func (u *upstream) nginxSticky(d directive) {
	u.method = probes.MethodCookie
	switch d.arg(0) {
	case "cookie":
		u.cookie = d.arg(1)
		return
	case "learn":
		for _, arg := range d.args {
			if name, ok := strings.CutPrefix(arg, "lookup=$cookie_"); ok {
				u.addComment("session", d.position.String()+": the balancer learns nodes from the cookie "+name)
			}
		}
		return
	case "route":
		return
	}
	u.cookie = "route" // the default of both modules
	for _, arg := range d.args {
		if key, value, _ := strings.Cut(arg, "="); (key == "name" || key == "cookie") && value != "" {
			u.cookie = value
		}
	}
}

// nginxTime parses a time such as 20s, 1m30s, 500ms or 20.
func nginxTime(text string) (time.Duration, error) {
	return times(text, time.Second)
}

var timeParts = regexp.MustCompile(`^(\d{1,9})(us|ms|s|m|h|d|w|M|y|)`)

var timeUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// times parses a duration of one or more parts, in which a bare number counts units.
func times(text string, unit time.Duration) (time.Duration, error) {
	var sum time.Duration
	for rest := text; ; {
		part := timeParts.FindStringSubmatch(rest)
		if part == nil {
			return 0, errNoTime
		}
		n, _ := strconv.Atoi(part[1]) // cannot fail: few digits
		scale, ok := timeUnits[part[2]]
		if !ok {
			scale = unit
		}
		sum += min(time.Duration(n), 10*365*24*time.Hour/scale) * scale
		if rest = rest[len(part[0]):]; rest == "" {
			return sum, nil
		}
	}
}
