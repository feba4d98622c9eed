package probes

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"
)

// A hopTimer measures the phases of one request. Its callbacks may run after the
// request was abandoned, hence the lock.
type hopTimer struct {
	mu    sync.Mutex
	start time.Time

	lookup, resolvedAt time.Time // of name resolution
	nameFound          bool
	dialDone           time.Time // whether or not it succeeded
	connected          bool
	usable             time.Time // connected and, with TLS, past the handshake
	written, firstByte time.Time

	localAddress, peer netip.AddrPort
	expires            time.Time // when the peer's certificate expires
}

func newHopTimer() *hopTimer { return &hopTimer{start: time.Now()} }

type hopTimerKey struct{}

// hopTimerOf returns the timer of a request with that context, or a new one that
// nothing reads.
func hopTimerOf(ctx context.Context) *hopTimer {
	if t, ok := ctx.Value(hopTimerKey{}).(*hopTimer); ok {
		return t
	}
	return newHopTimer()
}

// watch returns a context for a request that t measures.
func (t *hopTimer) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(context.WithValue(ctx, hopTimerKey{}, t), &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { t.mark(&t.lookup) },
		DNSDone:              t.resolved,
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.mark(&t.written) },
		GotFirstResponseByte: func() { t.mark(&t.firstByte) },
	})
}

func (t *hopTimer) mark(at *time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*at = time.Now()
}

func (t *hopTimer) ready() { t.mark(&t.usable) }

func (t *hopTimer) resolved(info httptrace.DNSDoneInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resolvedAt, t.nameFound = time.Now(), info.Err == nil
}

// dialled records the result of a dial. Several addresses may be tried concurrently: it
// records the one that was reached, or the first that failed.
func (t *hopTimer) dialled(c net.Conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		t.dialDone, t.peer = time.Now(), addrPort(op.Addr.String())
	}
	if err == nil {
		t.dialDone, t.connected = time.Now(), true
		t.localAddress, t.peer = addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String())
	}
}

func (t *hopTimer) certificates(chain []*x509.Certificate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(chain) > 0 {
		t.expires = chain[0].NotAfter
	}
}

// record writes the measured times, the addresses and the certificate to ex.
func (t *hopTimer) record(ex *Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ex.LocalAddress = t.localAddress.Addr().WithZone("")
	if t.peer.IsValid() {
		ex.Address = t.peer
	}
	ex.Certificate = t.expires
	ex.Timing = t.phases()
}

func (t *hopTimer) phases() Timing {
	var out Timing
	last := t.start
	phase := func(d *time.Duration, done time.Time) {
		if done.After(last) {
			*d, last = done.Sub(last), done
		}
	}
	phase(&out.DNS, t.resolvedAt)
	phase(&out.Connect, t.dialDone)
	phase(&out.TLS, t.usable)
	phase(&out.FirstByte, t.firstByte)
	return out
}

// stage returns, for people, what the request was doing when it ended.
func (t *hopTimer) stage() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.firstByte.IsZero():
		return "reading the answer"
	case !t.written.IsZero():
		return stageWaiting
	case !t.usable.IsZero():
		return "sending the request"
	case t.connected:
		return "TLS handshake"
	case !t.lookup.IsZero() && !t.nameFound:
		return stageLookup
	default:
		return "connecting"
	}
}

// answering reports whether the first byte of the answer has arrived.
func (t *hopTimer) answering() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.firstByte.IsZero()
}

// clock returns the offset of the node's clock according to an answer's Date header.
// The header has whole seconds, and some servers send one that is up to a second old
// (Tomcat before 2024-09, Node.js), so the time may be up to 2 s later than the header.
// The node wrote it after the connection was ready and before the first byte arrived.
func (t *hopTimer) clock(date time.Time) ClockOffset {
	t.mu.Lock()
	defer t.mu.Unlock()
	if date.IsZero() || t.firstByte.IsZero() || t.usable.IsZero() {
		return ClockOffset{}
	}
	if off := date.Sub(t.firstByte); off.Abs() > maxClockOffset {
		return ClockOffset{}
	}
	return ClockOffset{
		Min:     date.Sub(t.firstByte),
		Max:     date.Add(2 * time.Second).Sub(t.usable),
		Samples: 1,
	}
}

// maxClockOffset is beyond any offset of a real clock. Greater values could overflow a
// time.Duration.
const maxClockOffset = 100 * 365 * 24 * time.Hour

func addrPort(s string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
