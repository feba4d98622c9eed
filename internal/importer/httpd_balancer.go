package importer

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// httpdRetry is the default time for which a member is in error.
const httpdRetry = 60 * time.Second

// memberSchemes are the schemes for direct requests, by the schemes of members.
var memberSchemes = map[string]string{"http": "http", "https": "https", "h2c": "http", "h2": "https", "ajp": "ajp"}

// member parses BalancerMember URL [KEY=VALUE...].
func (u *upstream) member(line directive) error {
	text, _, socket := strings.Cut(line.arg(0), "|")
	if socket || strings.HasPrefix(text, "unix:") {
		u.guess("nodes", line.remark("a socket cannot be probed: its node is not in this file"))
		return nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	host, path := splitPath(rest)
	s := server{position: line.position, scheme: memberSchemes[strings.ToLower(scheme)], address: host, path: path, weight: 1}
	switch {
	case isVariable(text):
		s.unlisted = notKnown(text)
		s.scheme = cmp.Or(s.scheme, "http")
	case !ok || !validAddress(host):
		return line.errorf("BalancerMember: expected SCHEME://HOST:PORT, got %s", quoted(line.arg(0)))
	case scheme == "ws" || scheme == "wss":
		return nil // a duplicate
	case s.scheme == "":
		u.dynamic = line.remark("%s does not speak HTTP", text)
		s.scheme = "http"
	case scheme == "h2c":
		s.protocol = probes.ProtocolH2C
	}
	if !isValidPath(s.path) {
		s.path = ""
	}
	e := ejection{maxFails: 1, failTimeout: httpdRetry, derivedFrom: httpdEjects}
	for _, arg := range line.args[1:] {
		if err := s.memberSetting(&e, line.position, u, arg); err != nil {
			return line.errorf("BalancerMember %s: %s: %w", quoted(host), quoted(arg), err)
		}
	}
	if len(u.servers) == 0 {
		u.ejection = e
	} else if e.differs(u.ejection) {
		u.guessOnce("balancer.max_fails", line.position, phrase.New("this member has another retry than the first one, whose value is used"))
	}
	u.servers = append(u.servers, s)
	return nil
}

// httpdEjects says when httpd ejects a member.
var httpdEjects = phrase.New("the first failed connection ejects a member, for the time of retry")

// memberSetting parses a parameter of a member.
func (s *server) memberSetting(e *ejection, at position, u *upstream, arg string) error {
	key, value, _ := strings.Cut(arg, "=")
	switch strings.ToLower(key) {
	case "route":
		s.name = value
	case "loadfactor":
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= 1 && n <= 100) {
			return errLoadFactor
		}
		s.weight = int(n)
	case "status":
		s.status(value)
	case "lbset":
		if n, err := atLeast(value, 0); err == nil && n > 0 {
			s.backup = true
			u.guessOnce("nodes", at, phrase.New("members with a higher lbset get clients only when those of a lower one are gone, as a backup does"))
		}
	case "retry":
		t, err := parseDuration(value, time.Second)
		if err != nil {
			return err
		}
		*e = ejection{maxFails: 1, failTimeout: t, explicit: true, derivedFrom: httpdEjects}
		if t == 0 {
			*e = ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("retry=0: a member in error is tried again at once")}
		}
	}
	return nil
}

// status parses the letters of status=, each with an optional sign: D is disabled, S
// stopped, N draining, H a hot standby, R a spare.
func (s *server) status(letters string) {
	set := true
	for _, c := range strings.ToUpper(letters) {
		switch c {
		case '+', '-':
			set = c == '+'
		case 'D', 'S', 'N':
			s.down = set
		case 'H', 'R':
			s.backup = set
		}
	}
}

// proxySet parses the parameters of a balancer.
func (u *upstream) proxySet(at position, args []string) {
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			continue
		}
		switch strings.ToLower(key) {
		case "lbmethod":
			u.lbMethod(at, value)
		case "stickysession":
			name, _, _ := strings.Cut(value, "|")
			u.method, u.routeCookie = probes.MethodCookie, name
		case "nofailover":
			if strings.EqualFold(value, "on") {
				u.addComment("balancer.method", at.remark("nofailover=On: a session whose member is in error gets 503 instead of another member"))
			}
		case "failonstatus":
			u.addComment("balancer.max_fails", at.remark("answers with the status %s eject a member, too", value))
		}
	}
}

func (u *upstream) lbMethod(at position, name string) {
	if u.method == probes.MethodCookie {
		return // with stickysession the method is cookie
	}
	switch strings.TrimPrefix(strings.ToLower(name), "lbmethod_") {
	case "byrequests":
		u.method = probes.MethodRoundRobin
	case "bybusyness":
		u.method = probes.MethodLeastConn
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", at.remark("lbmethod=%s cannot be predicted by clients", name))
	}
}

var routeValue = regexp.MustCompile(`^([^=;\s]+)=([^;\s%]*)%\{BALANCER_WORKER_ROUTE\}e`)

// httpdHeaders parses the Header lines by which httpd sends the route: in its own
// cookie or in a response header.
func (u *upstream) httpdHeaders(block []directive) {
	for _, d := range block {
		if d.name == "location" || d.name == "proxy" {
			u.httpdHeaders(d.block)
		}
		if d.name != "header" || !strings.Contains(strings.Join(d.args, " "), "%{BALANCER_WORKER_ROUTE}e") {
			continue
		}
		args := d.args
		if len(args) > 0 && (args[0] == "always" || args[0] == "onsuccess") {
			args = args[1:]
		}
		if len(args) < 3 {
			continue
		}
		if strings.EqualFold(args[1], "Set-Cookie") {
			if found := routeValue.FindStringSubmatch(args[2]); found != nil && found[1] == u.routeCookie {
				u.cookieRoute(found[1], found[2])
			}
		} else if args[2] == "%{BALANCER_WORKER_ROUTE}e" {
			u.routeHeader = args[1]
		}
	}
}

// cookieRoute sets the balancer's own cookie, which has the route behind a prefix. httpd
// reads the route behind the first dot.
func (u *upstream) cookieRoute(name, prefix string) {
	if prefix == "" || prefix == "." {
		u.cookie, u.routeCookie = name, ""
	} else {
		u.nodeCookie = true
	}
}
