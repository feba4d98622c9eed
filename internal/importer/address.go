package importer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	errNoTime     = errors.New("expected a time, such as 20s")
	errLoadFactor = errors.New("expected a number from 1 to 100")
)

// atLeast parses a whole number with a lower bound.
func atLeast(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return least, fmt.Errorf("expected a whole number, at least %d", least)
	}
	return n, nil
}

var hostName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.-]*$`)

// validAddress reports whether text is HOST or HOST:PORT, IPv6 in brackets.
func validAddress(text string) bool {
	host := text
	if name, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = strings.TrimSuffix(text, ":"+port)
		if name == host { // without brackets
			return hostName.MatchString(host)
		}
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(inside, "]")
	}
	return hostName.MatchString(host)
}

// splitAddress splits HOST:PORT; the port may be missing. The host is "" for a
// wildcard, such as in :80, *:80 and [::]:80.
func splitAddress(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.Trim(text, "[]")
	}
	if ip, err := netip.ParseAddr(host); host == "*" || err == nil && ip.IsUnspecified() {
		host = ""
	}
	return host, port
}

// webAddress returns an http or https address, without the default port.
func webAddress(scheme, host, port string) string {
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// public reports whether users may use a host name: it is neither an address nor local.
func public(name string) bool {
	if name == "localhost" || strings.ContainsAny(name, "*~^$_ ") || strings.HasPrefix(name, ".") {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return validAddress(name) && strings.Contains(name, ".")
}
