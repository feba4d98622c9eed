package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// A record may be used for its TTL. Shorter ones would load the server, and with longer ones
// a node would come unnoticed. A TTL of 0 forbids caching and says nothing about changes.
const (
	leastTTL   = time.Second
	mostTTL    = time.Minute
	withoutTTL = 5 * time.Second
)

// resolvConf lists the servers that are asked if the configuration names none.
const resolvConf = "/etc/resolv.conf"

// A dnsSource lists the addresses of a name, or the targets of its SRV records. Servers
// rotate and shuffle records, so the list is sorted.
type dnsSource struct {
	config.DNSName
	nodes nodeTemplate
}

func (s dnsSource) ask(ctx context.Context) (answer, error) {
	reply, err := s.resolve(ctx, s.Name, dns.StringToType[s.Type])
	if err != nil {
		return answer{}, err
	}
	got := answer{again: ttlOf(reply.Answer)}
	if s.Type == "SRV" {
		got.nodes, err = s.targets(ctx, reply)
	} else {
		got.nodes, err = s.addresses(reply.Answer, s.Port)
	}
	slices.SortFunc(got.nodes, func(a, b probes.Node) int { return strings.Compare(a.ID, b.ID) })
	got.nodes = distinct(got.nodes)
	return got, err
}

// addresses returns a node for each address record.
func (s dnsSource) addresses(records []dns.RR, port int) (nodes []probes.Node, err error) {
	for _, address := range addressesOf(records) {
		n, err := s.nodes.node("", net.JoinHostPort(address, strconv.Itoa(port)), "")
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// targets returns a node for each SRV record. Its id is the target, because that of a
// StatefulSet stays when the address changes; with the port where a target has several.
func (s dnsSource) targets(ctx context.Context, reply *dns.Msg) (nodes []probes.Node, err error) {
	ports := make(map[string]int)
	for _, r := range reply.Answer {
		if srv, ok := r.(*dns.SRV); ok {
			ports[srv.Target]++
		}
	}
	for _, r := range reply.Answer {
		srv, ok := r.(*dns.SRV)
		if !ok {
			continue
		}
		address, err := s.addressOf(ctx, srv.Target, reply.Extra)
		if err != nil {
			return nil, err
		}
		port := strconv.Itoa(int(srv.Port))
		id := strings.TrimSuffix(srv.Target, ".")
		host := net.JoinHostPort(id, port)
		if ports[srv.Target] > 1 {
			id = host
		}
		if _, err := s.nodes.node(id, host, ""); err != nil {
			return nil, err
		}
		n, err := s.nodes.node(id, net.JoinHostPort(address, port), "")
		if err != nil {
			return nil, err
		}
		n.Host = host
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// addressOf returns an address of a target: the server may have added it to its answer.
func (s dnsSource) addressOf(ctx context.Context, target string, extra []dns.RR) (string, error) {
	own := slices.DeleteFunc(slices.Clone(extra), func(r dns.RR) bool { return !strings.EqualFold(r.Header().Name, target) })
	for _, kind := range []uint16{dns.TypeNone, dns.TypeA, dns.TypeAAAA} {
		if kind != dns.TypeNone {
			reply, err := s.resolve(ctx, target, kind)
			switch {
			case err == nil:
				own = reply.Answer
			case kind == dns.TypeA && errors.Is(err, errNoName): // some servers answer so where only AAAA exists
				own = nil
			default:
				return "", fmt.Errorf("the target of an SRV record: %w", err)
			}
		}
		if list := addressesOf(own); len(list) > 0 {
			slices.Sort(list)
			return list[0], nil
		}
	}
	return "", fmt.Errorf("%s of an SRV record has no address", probes.Clean(target, 64))
}

func addressesOf(records []dns.RR) (list []string) {
	for _, r := range records {
		switch r := r.(type) {
		case *dns.A:
			list = append(list, r.A.String())
		case *dns.AAAA:
			list = append(list, r.AAAA.String())
		}
	}
	return list
}

func ttlOf(records []dns.RR) time.Duration {
	least := mostTTL
	for _, r := range records {
		ttl := time.Duration(r.Header().Ttl) * time.Second
		if ttl == 0 {
			ttl = withoutTTL
		}
		least = min(least, ttl)
	}
	return max(least, leastTTL)
}

// errNoName is the error about a name that does not exist in DNS.
var errNoName = errors.New("does not exist in DNS (NXDOMAIN)")

// resolve asks the servers in turn for a name, and for it in each search domain. A name that
// exists and has no records is no error.
func (s dnsSource) resolve(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	names, servers := []string{dns.Fqdn(name)}, []string{s.Server}
	if s.Server == "" {
		conf, err := dns.ClientConfigFromFile(resolvConf)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", resolvConf, err)
		}
		names, servers = conf.NameList(name), nil
		for _, server := range conf.Servers {
			servers = append(servers, net.JoinHostPort(server, conf.Port))
		}
	}
	var failed error
	exists := false
	for _, name := range names {
		switch reply, err := exchange(ctx, name, kind, servers); {
		case err != nil:
			failed = err
		case reply.Rcode == dns.RcodeNameError:
		case len(reply.Answer) > 0:
			return reply, nil
		default:
			exists = true
		}
	}
	if failed == nil && !exists {
		return nil, fmt.Errorf("the name %s %w", probes.Clean(name, 64), errNoName)
	}
	return new(dns.Msg), failed
}

// exchange returns the answer of the first server that has one.
func exchange(ctx context.Context, name string, kind uint16, servers []string) (*dns.Msg, error) {
	const maxUDP = 1232 // bytes that pass every network in one piece
	question := new(dns.Msg).SetQuestion(name, kind)
	question.SetEdns0(maxUDP, false)
	last := errors.New("no DNS server is known")
	for _, server := range servers {
		reply, _, err := (&dns.Client{}).ExchangeContext(ctx, question, server)
		if err == nil && reply.Truncated {
			reply, _, err = (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, question, server)
		}
		switch {
		case err != nil:
			last = fmt.Errorf("asking %s: %w", server, err)
		case reply.Rcode == dns.RcodeSuccess, reply.Rcode == dns.RcodeNameError:
			return reply, nil
		default:
			last = fmt.Errorf("asking %s: got %s", server, dns.RcodeToString[reply.Rcode])
		}
	}
	return nil, last
}
