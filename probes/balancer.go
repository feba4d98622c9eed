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

// An Frontend is one address of a balancer. Every address that a name resolves
// to is a machine of its own, with a view of its own of which nodes are well.
type Frontend struct {
	URL     *url.URL
	Address netip.AddrPort // zero: the name did not resolve
	Lookup  Exchange       // the failed look-up; zero when it succeeded
	Waiting int            // addresses of the name that are not probed now, but in their turn
}

const (
	// maxAddresses bounds how many addresses of one name are probed at a time.
	maxAddresses = 32
	// rotationPeriod is how long they are, before others are: canaries have to come
	// back a few times.
	rotationPeriod = 10 * time.Minute
)

// addressesAt returns those of a name's addresses that are probed at a moment. Within a
// few turns all are.
func addressesAt(addrs []netip.Addr, now time.Time) []netip.Addr {
	if len(addrs) <= maxAddresses {
		return addrs
	}
	turns := (len(addrs) + maxAddresses - 1) / maxAddresses
	turn := int(now.Unix()/int64(rotationPeriod/time.Second)) % turns
	first := min(turn*maxAddresses, len(addrs)-maxAddresses)
	return addrs[first : first+maxAddresses]
}

// Resolve finds every entrance of c's balancer.
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
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	var list []Frontend
	for _, addr := range addressesAt(addrs, began) {
		list = append(list, Frontend{URL: u, Address: netip.AddrPortFrom(addr, port(u)), Waiting: max(0, len(addrs)-maxAddresses)})
	}
	return list
}

// lookup knows addresses by themselves: the resolver takes away their zones.
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

// Target is e as a client that presents key dials it; key "" comes as itself.
func (e Frontend) Target(c *Cluster, key string) Target {
	return Target{
		URL: e.URL, Address: e.Address, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial,
		KeyHeader: c.Balancer.KeyHeader(), Key: key, Limiter: c.Limiter,
	}
}

// Through asks e as a plain client would: the primary path, and every page.
func Through(ctx context.Context, c *Cluster, e Frontend) BalancerObservation {
	obs := BalancerObservation{URL: e.URL.Redacted(), Address: e.Address, Primary: e.Lookup, Waiting: e.Waiting}
	if !e.Address.IsValid() {
		obs.Primary.Path = c.PrimaryPath()
		return obs
	}
	began := time.Now()
	client := NewClient(e.Target(c, ""))
	err := panics.Catch(panics.Probe, func() {
		obs.Pages = make([]Exchange, len(c.Pages))
		var wg panics.Group
		wg.Go(func() { obs.Primary, _ = client.ask(ctx, pageRequest{path: c.PrimaryPath()}) })
		for i, page := range c.Pages {
			wg.Go(func() { obs.Pages[i], _ = client.ask(ctx, pageRequest{path: page.Path}) })
		}
		wg.Wait()
	})
	if err != nil {
		obs.Primary, obs.Pages = client.failed(ctx, pageRequest{path: c.PrimaryPath()}, began, err), client.failedPages(ctx, c, began, err)
	}
	return obs
}

// KeyHeader is the header by which a client tells the balancer the key it
// hashes; "" when there is no such way.
func (b Balancer) KeyHeader() string {
	if b.Method == MethodHash && b.HashKey != "" && b.HashKey != "$remote_addr" {
		if name, ok := strings.CutPrefix(b.HashKey, "$http_"); ok {
			return strings.ReplaceAll(name, "_", "-")
		}
		return ""
	}
	return b.ClientIPHeader
}
