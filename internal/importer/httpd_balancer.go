package importer

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// httpdRetry is the default time for which a member is in error.
const httpdRetry = 60 * time.Second

// memberSchemes are the schemes for direct requests, by the schemes of members.
var memberSchemes = map[string]string{"http": "http", "https": "https", "h2c": "http", "h2": "https", "ajp": "ajp"}

// member parses BalancerMember URL [KEY=VALUE...].
func (u *upstream) member(d directive) error {
	text, _, socket := strings.Cut(d.arg(0), "|")
	address, ok := parseMember(text)
	switch {
	case socket || strings.HasPrefix(text, "unix:"):
		u.guess("nodes", d.position.String()+": a socket cannot be probed: its node is not in this file")
		return nil
	case !ok:
		return d.errorf("BalancerMember: expected SCHEME://HOST:PORT, got %s", quoted(d.arg(0)))
	case address.Scheme == "ws" || address.Scheme == "wss":
		return nil // a duplicate
	}
	scheme, ok := memberSchemes[address.Scheme]
	if !ok {
		u.guess("nodes", d.position.String()+": "+text+" does not speak HTTP: its node is missing here")
		return nil
	}
	s := server{position: d.position, scheme: scheme, address: address.Host, weight: 1}
	for _, arg := range d.args[1:] {
		if err := u.memberSetting(&s, arg); err != nil {
			return d.errorf("BalancerMember %s: %s: %w", quoted(address.Host), quoted(arg), err)
		}
	}
	u.servers = append(u.servers, s)
	return nil
}

func (u *upstream) memberSetting(s *server, arg string) error {
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
	case "retry":
		t, err := times(value, time.Second)
		if err != nil {
			return err
		}
		u.retry(t)
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

// retry sets how long a member stays in error; 0: no ejection.
func (u *upstream) retry(t time.Duration) {
	u.ejection.failTimeout, u.ejection.explicit = t, true
	if t == 0 {
		u.ejection.maxFails, u.ejection.failTimeout = 0, 10*time.Second
		u.ejection.derivedFrom = "retry=0: a member in error is tried again at once"
	}
}

// proxySet parses the parameters of a balancer.
func (u *upstream) proxySet(at position, args []string) error {
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
				u.addComment("balancer.method", at.String()+": nofailover=On: a session whose member is in error gets 503 instead of another member")
			}
		case "failonstatus":
			u.addComment("balancer.max_fails", at.String()+": answers with the status "+value+" eject a member, too")
		}
	}
	return nil
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
		u.addComment("balancer.method", at.String()+": lbmethod="+name+" cannot be predicted by clients")
	}
}

var routeValue = regexp.MustCompile(`^([^=;\s]+)=\.?%\{BALANCER_WORKER_ROUTE\}e`)

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
				u.cookie, u.routeCookie = found[1], ""
			}
		} else if args[2] == "%{BALANCER_WORKER_ROUTE}e" {
			u.routeHeader = args[1]
		}
	}
}
