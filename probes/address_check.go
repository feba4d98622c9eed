package probes

import (
	"context"
	"net/netip"
)

// An AddressCheck presents the session of a trace at another address of the balancer, as a
// browser does that DNS or a failover of the balancer leads there. From is the node that holds the
// session, "" if answers do not show it; any node may answer, so To is empty.
type AddressCheck struct {
	FailoverCheck
	URL, OtherURL   string         // the balancer's URLs
	Address, Second netip.AddrPort // of URL and of OtherURL
	Mixed           bool           // a second request there was answered as at URL, unlike the first
}

// Moved reports whether another node answered at the other address; nodeOf returns the id of the
// node with a label, "" if it is not known.
func (c AddressCheck) Moved(nodeOf func(label string) string) bool {
	node := nodeOf(c.There.Label)
	return node != "" && c.From != "" && node != c.From
}

// Leads reports whether clients of one address may come to another with their cookies, and are the same
// clients there: both addresses belong to one host, or stand for the machines behind one. A balancer that
// goes by the address of a client does not recognise one that comes by IPv4 and by IPv6.
func (b Balancer) Leads(from, to Frontend) bool {
	if !from.Address.IsValid() || !to.Address.IsValid() || from.URL.Scheme != to.URL.Scheme || from.URL.Path != to.URL.Path {
		return false
	}
	byAddress := b.Method != MethodCookie && b.KeyHeader() == ""
	if byAddress && from.Address.Addr().Unmap().Is4() != to.Address.Addr().Unmap().Is4() {
		return false
	}
	isAddress := func(f Frontend) bool {
		_, err := netip.ParseAddr(f.URL.Hostname())
		return err == nil
	}
	return from.URL.Hostname() == to.URL.Hostname() || isAddress(from) || isAddress(to)
}

// CheckAddress presents the session at another address of the balancer. If its node does not
// answer there, or the session is not known, one more request shows whether that is so each time, and
// one at the canary's own address whether the session is still where it was; otherwise the check
// is void. The answers change no cookie of the canary, so that the other address does not send
// it elsewhere. If a node renamed the session, as Tomcat does when it moves, it is moved back.
func (c *Canary) CheckAddress(ctx context.Context, owner Node, other Frontend, nodeOf func(label string) string) AddressCheck {
	c.mu.Lock()
	check := AddressCheck{
		FailoverCheck: FailoverCheck{From: owner.ID, Base: c.trace.Base, Tried: c.counter, Session: c.session},
		URL:           c.trace.URL, OtherURL: other.URL.Redacted(), Address: c.trace.Balancer, Second: other.Address,
	}
	own, key := c.client, c.trace.Client
	c.mu.Unlock()
	check.Counter = c.stored()
	client := NewClient(other.Target(c.cluster, key))
	ask := func(client *Client, check *AddressCheck) (agrees bool) {
		c.carry(ctx, client, check)
		if check.Moved(nodeOf) {
			check.Sent += c.moveBack(ctx, owner, *check)
		}
		return check.There.OK() && check.SessionOutcome() != SessionLost && !check.Moved(nodeOf)
	}
	if ask(client, &check) || !check.There.OK() {
		check.Void = !check.There.OK()
		return check
	}
	again := check
	check.Mixed = ask(client, &again)
	if !check.Mixed {
		check = again
	}
	control := again
	check.Void = !again.There.OK() || !ask(own, &control)
	check.Sent = control.Sent
	return check
}

// carry sends a request for the session's page with the cookies of the canary's own address.
func (c *Canary) carry(ctx context.Context, client *Client, check *AddressCheck) {
	jar := c.cookies().clone()
	request := c.pageRequest(c.cluster.ClientPath(), jar)
	request.public, request.expected = c.client.target.URL, ""
	check.There, _ = client.ask(ctx, request)
	check.Sent++
	c.takeRenewed(jar, check.FailoverCheck)
}

// moveBack presents a session that another node has renamed to its own node, and continues with
// its new name. It returns how many requests it sent.
func (c *Canary) moveBack(ctx context.Context, owner Node, check AddressCheck) (sent int) {
	if !check.renamed() || owner.URL == nil {
		return 0
	}
	back, jar := c.checkFailover(ctx, owner, owner, c.cookies())
	c.continueAfter(jar, !back.known(), back)
	return back.Sent
}
