package lab

import (
	"context"
	"net"
	"sync"
	"testing"

	"stickwatch/internal/must"

	"github.com/miekg/dns"
)

// A Zone is a real DNS server on loopback with the addresses of one name, as the DNS of a
// container orchestrator has those of a headless Service.
type Zone struct {
	addr, name string

	mu        sync.Mutex
	addresses []string
	failing   bool
}

// NewZone starts the server of a name that has no addresses yet. Their TTL is a second.
func NewZone(tb testing.TB, name string) *Zone {
	tb.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must.Succeed(tb, err)
	z := &Zone{addr: conn.LocalAddr().String(), name: dns.Fqdn(name)}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(z.answer)}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go server.ActivateAndServe()
	<-started
	tb.Cleanup(func() { server.Shutdown() })
	return z
}

// UseForAllNames makes the process ask the server for every name until the test ends. Such a test cannot
// run beside others that resolve names.
func (z *Zone) UseForAllNames(tb testing.TB) {
	tb.Helper()
	system := net.DefaultResolver
	tb.Cleanup(func() { net.DefaultResolver = system })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", z.Addr())
	}}
}

// Addr returns the host:port of the server.
func (z *Zone) Addr() string { return z.addr }

// Set makes these the addresses of the name.
func (z *Zone) Set(addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.addresses = addresses
}

// Fail makes the server answer with SERVFAIL while failing is true.
func (z *Zone) Fail(failing bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.failing = failing
}

func (z *Zone) answer(w dns.ResponseWriter, r *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	reply := new(dns.Msg).SetReply(r)
	switch q := r.Question[0]; {
	case z.failing:
		reply.Rcode = dns.RcodeServerFailure
	case q.Name != z.name:
		reply.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA:
		for _, address := range z.addresses {
			reply.Answer = append(reply.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: z.name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP(address),
			})
		}
	}
	_ = w.WriteMsg(reply)
}
