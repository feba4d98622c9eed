package probes

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stickwatch/internal/panics"
)

// A Frontend is one address of a balancer. Every address that a name resolves to is a
// separate machine, which decides by itself which nodes are healthy.
type Frontend struct {
	URL     *url.URL
	Address netip.AddrPort // zero: the name did not resolve
	Lookup  Exchange       // the failed look-up; zero if it succeeded
	Waiting int            // number of the name's addresses that are probed at other times
	NoRoute int            // number of the name's addresses to whose family this machine has no route
}

const (
	// maxAddresses bounds how many addresses of one name are probed at a time.
	maxAddresses = 32
	// rotationPeriod is how long the same addresses are probed before others are. A
	// canary must be able to send several follow-ups in it.
	rotationPeriod = 10 * time.Minute
)

// addressesAt returns those of a name's addresses that are probed at a time. Within a
// few periods all are.
func addressesAt(addrs []netip.Addr, now time.Time) []netip.Addr {
	if len(addrs) <= maxAddresses {
		return addrs
	}
	turns := (len(addrs) + maxAddresses - 1) / maxAddresses
	turn := int(now.Unix()/int64(rotationPeriod/time.Second)) % turns
	first := min(turn*maxAddresses, len(addrs)-maxAddresses)
	return addrs[first : first+maxAddresses]
}

// Resolve returns every frontend of c's balancer.
func Resolve(ctx context.Context, c *Cluster) []Frontend {
	found := make([][]Frontend, len(c.Balancer.URLs))
	var wg panics.Group
	for i, u := range c.Balancer.URLs {
		wg.Go(func() { found[i] = resolve(ctx, u, c.Limits.Timeout) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func resolve(parent context.Context, u *url.URL, timeout time.Duration) []Frontend {
	timeout = cmp.Or(timeout, DefaultLimits.Timeout)
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	began := time.Now()
	addrs, err := lookup(ctx, u.Hostname())
	if err != nil {
		ex := Exchange{At: began, Timing: Timing{DNS: time.Since(began), Total: time.Since(began)}}
		ex.Failure, ex.Error = classify(parent, stageError{error: err, stage: stageLookup}, timeout)
		return []Frontend{{URL: u, Lookup: ex}}
	}
	addrs, noRoute := withRoute(addrs, hasRoute)
	addrs = listening(addrs, func(a netip.Addr) bool { return accepts(ctx, netip.AddrPortFrom(a, port(u))) })
	list := frontendsAt(u, addrs, began)
	for i := range list {
		list[i].NoRoute = noRoute
	}
	return list
}

// withRoute returns the addresses without those of a family to which this machine has no route, as in a container
// without IPv6, and the number of those. A browser here would use the others, too. If there are no others, all stay.
func withRoute(addrs []netip.Addr, hasRoute func(netip.Addr) bool) (list []netip.Addr, without int) {
	for _, leaveOut := range []func(netip.Addr) bool{netip.Addr.Is6, netip.Addr.Is4} {
		others := slices.DeleteFunc(slices.Clone(addrs), leaveOut)
		family := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return !leaveOut(a) })
		if len(family) > 0 && !slices.ContainsFunc(family, hasRoute) && slices.ContainsFunc(others, hasRoute) {
			return others, len(family)
		}
	}
	return addrs, 0
}

// hasRoute reports whether this machine has a route to an address. Connecting a UDP socket sends no packet.
func hasRoute(a netip.Addr) bool {
	const discard = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, discard)))
	if err != nil {
		return !isAny(err, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT)
	}
	conn.Close()
	return true
}

// listening returns those addresses of a name for 127.0.0.1 and ::1, such as localhost, at which a server listens.
// It may listen at one of them only, and clients try the other one then. If there is none, the first one stays.
func listening(addrs []netip.Addr, accepts func(netip.Addr) bool) []netip.Addr {
	addrs = slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare)
	if len(addrs) != 2 || !addrs[0].IsLoopback() || addrs[1] != netip.IPv6Loopback() {
		return addrs
	}
	if list := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return !accepts(a) }); len(list) > 0 {
		return list
	}
	return addrs[:1]
}

// accepts reports whether a server on this machine accepts connections at an address.
func accepts(ctx context.Context, at netip.AddrPort) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return !isAny(err, syscall.ECONNREFUSED)
	}
	conn.Close()
	return true
}

// frontendsAt returns the frontends of a name with these addresses that are probed at a time.
func frontendsAt(u *url.URL, addrs []netip.Addr, now time.Time) []Frontend {
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	var list []Frontend
	for _, addr := range addressesAt(addrs, now) {
		list = append(list, Frontend{URL: u, Address: netip.AddrPortFrom(addr, port(u)), Waiting: max(0, len(addrs)-maxAddresses)})
	}
	return list
}

// lookup returns an IP address itself, because the resolver removes its zone.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

func port(u *url.URL) uint16 {
	p, _ := strconv.ParseUint(cmp.Or(u.Port(), portOf(u.Scheme)), 10, 16)
	return uint16(p)
}

// Target returns the target of a client that presents key to f. With key "" it presents
// none.
func (f Frontend) Target(c *Cluster, key string) Target {
	return Target{
		URL: f.URL, Address: f.Address, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial, Header: c.Header,
		KeyHeader: c.Balancer.KeyHeader(), Key: key, Limiter: c.Limiter,
	}
}

// Through sends the requests of a client without a session to f: the primary path and
// every page.
func Through(ctx context.Context, cluster *Cluster, f Frontend) BalancerObservation {
	obs := BalancerObservation{URL: f.URL.Redacted(), Address: f.Address, Primary: f.Lookup, Waiting: f.Waiting, NoRoute: f.NoRoute}
	if !f.Address.IsValid() {
		obs.Primary.Path = cluster.PrimaryPath()
		return obs
	}
	began := time.Now()
	client := NewClient(f.Target(cluster, ""))
	err := panics.Catch(panics.Probe, func() {
		obs.Pages = make([]Exchange, len(cluster.Pages))
		var wg panics.Group
		wg.Go(func() { obs.Primary, _ = client.ask(ctx, pageRequest{path: cluster.PrimaryPath()}) })
		for i, page := range cluster.Pages {
			wg.Go(func() { obs.Pages[i], _ = client.ask(ctx, pageRequest{path: page.Path, title: cluster.Title}) })
		}
		wg.Wait()
	})
	if err != nil {
		obs.Primary, obs.Pages = client.failed(ctx, pageRequest{path: cluster.PrimaryPath()}, began, err), client.failedPages(ctx, cluster, began, err)
	}
	return obs
}

// KeyHeader returns the header in which a client can send the key that the balancer
// hashes; "" if there is none.
func (b Balancer) KeyHeader() string {
	if b.Method == MethodHash && b.HashKey != "" && !b.HashesAddress() {
		if name, ok := strings.CutPrefix(b.HashKey, "$http_"); ok {
			return strings.ReplaceAll(name, "_", "-")
		}
		return ""
	}
	return b.ClientIPHeader
}
