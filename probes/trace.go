package probes

import (
	"crypto/tls"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"
)

// A trace takes the times of one hop. Its hooks may run after the hop has been
// given up, hence the lock.
type trace struct {
	mu                                                    sync.Mutex
	start, dnsDone, connectDone, tlsDone, written, answer time.Time
	own, peer                                             netip.AddrPort
}

func newTrace() *trace { return &trace{start: time.Now()} }

func (t *trace) hooks() *httptrace.ClientTrace {
	mark := func(at *time.Time) {
		t.mu.Lock()
		*at = time.Now()
		t.mu.Unlock()
	}
	return &httptrace.ClientTrace{
		DNSDone:              func(httptrace.DNSDoneInfo) { mark(&t.dnsDone) },
		ConnectDone:          func(string, string, error) { mark(&t.connectDone) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { mark(&t.tlsDone) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { mark(&t.written) },
		GotFirstResponseByte: func() { mark(&t.answer) },
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.own = addrPort(info.Conn.LocalAddr().String())
			t.peer = addrPort(info.Conn.RemoteAddr().String())
		},
	}
}

// timing splits the hop; a phase that did not end takes what is left.
func (t *trace) timing(end time.Time) Timing {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out Timing
	last := t.start
	phase := func(d *time.Duration, done time.Time) {
		if done.After(last) {
			*d, last = done.Sub(last), done
		}
	}
	phase(&out.DNS, t.dnsDone)
	phase(&out.Connect, t.connectDone)
	phase(&out.TLS, t.tlsDone)
	phase(&out.FirstByte, t.answer)
	out.Total = end.Sub(t.start)
	return out
}

// stage says what the hop was doing when it ended, for people.
func (t *trace) stage() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.answer.IsZero():
		return "reading the answer"
	case !t.written.IsZero():
		return "waiting for an answer"
	case !t.connectDone.IsZero():
		return "connected"
	default:
		return "connecting"
	}
}

func (t *trace) ends() (own netip.Addr, peer netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own.Addr(), t.peer
}

// clock reads an answer's Date as an interval for the node's clock: the header
// has whole seconds, and some servers send one that is up to a second old
// (Tomcat before 2024-09, Node.js), so its second may have begun 2 s before.
func (t *trace) clock(date time.Time) ClockOffset {
	t.mu.Lock()
	defer t.mu.Unlock()
	if date.IsZero() || t.answer.IsZero() || t.connectDone.IsZero() {
		return ClockOffset{}
	}
	return ClockOffset{
		Min:     date.Sub(t.answer),
		Max:     date.Add(2 * time.Second).Sub(t.connectDone),
		Samples: 1,
	}
}

func addrPort(s string) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
