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
	return frontendsAt(u, addrs, began)
}

// frontendsAt returns the frontends of a name with these addresses that are probed at a time.
func frontendsAt(u *url.URL, addrs []netip.Addr, now time.Time) []Frontend {
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
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
		return []netip.Addr{addr}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
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
	obs := BalancerObservation{URL: f.URL.Redacted(), Address: f.Address, Primary: f.Lookup, Waiting: f.Waiting}
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
	if b.Method == MethodHash && b.HashKey != "" && b.HashKey != "$remote_addr" {
		if name, ok := strings.CutPrefix(b.HashKey, "$http_"); ok {
			return strings.ReplaceAll(name, "_", "-")
		}
		return ""
	}
	return b.ClientIPHeader
}
