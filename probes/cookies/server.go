package cookies

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A Server is a node as its balancer knows it. Every field but ID may be empty;
// the more is told, the more products can be read.
type Server struct {
	ID      string   // what is returned for it
	Address string   // "host:port" as the balancer's file has it; some products are read only if it is an IP address
	Names   []string // what the balancer calls it: a route, a label, a cookie value; the ID is one in any case
	URL     string   // "http://host:port" as the balancer's file has it
}

// names are the distinct words by which a cookie may call the server.
func (s Server) names() []string { return distinct(append([]string{s.ID}, s.Names...)) }

// addresses are the distinct spellings of the server's host and port.
func (s Server) addresses() []string { return distinct([]string{s.Address, hostPort(s.URL)}) }

// urls are the spellings of the server's URL that configurations are written
// with: a product that hashes one hashes it to the letter.
func (s Server) urls() []string {
	bare := strings.TrimRight(s.URL, "/")
	list := []string{s.URL, bare}
	if bare != "" {
		list = append(list, bare+"/")
	}
	scheme, _, ok := strings.Cut(s.URL, "://")
	if !ok {
		scheme = "http"
	}
	for _, address := range s.addresses() {
		list = append(list, scheme+"://"+address, scheme+"://"+address+"/")
	}
	return distinct(list)
}

// hostPort is the host and port of a URL, with the scheme's port where it has
// none; "" where it is not a URL with a host.
func hostPort(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// addrPort is the address in text, IPv4 where it is one mapped into IPv6; false
// where text has a host name, or a zone, in which any text could stand.
func addrPort(text string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Addr().Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
}

// distinct returns the texts that are not empty, each once.
func distinct(texts []string) []string {
	var list []string
	for _, text := range texts {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
