package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"stickwatch/probes"
)

// A passage is one request on its way through the balancer.
type passage struct {
	balancer *Balancer
	worker   *worker
	faults   BalancerFaults
	request  *http.Request
	body     []byte // kept, so that it can be sent again
	client   string
	trail    []string // the servers tried, as $upstream_addr has them
}

// ServeHTTP passes a request to a server, and to the next when that one does
// not answer, as nginx does with `proxy_next_upstream error timeout
// invalid_header`. An answer is an answer, whatever its status.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := b.Faults()
	if f.Status != 0 {
		http.Error(w, http.StatusText(f.Status), f.Status)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
		return
	}
	p := &passage{
		balancer: b, worker: b.acceptor(r.Context()), faults: f,
		request: r, body: body, client: b.client(r, f).String(),
	}
	p.serve(w)
}

func (p *passage) serve(w http.ResponseWriter) {
	c := choice{
		method: p.method(),
		client: p.client,
		server: p.named(),
		faults: p.faults,
	}
	status := http.StatusBadGateway
	for range p.balancer.tries() {
		server, ok := p.worker.choose(c, time.Now())
		if !ok {
			p.trail = append(p.trail, p.balancer.config.Name) // no live upstreams
			break
		}
		c.tried = append(c.tried, server)
		p.trail = append(p.trail, p.worker.servers[server].Name)
		resp, err := p.forward(server)
		if err == nil {
			p.relay(w, resp, server)
			return
		}
		if p.request.Context().Err() != nil { // the client left, which nginx holds against nobody
			p.worker.finished(server)
			panic(http.ErrAbortHandler)
		}
		p.worker.failed(server, time.Now())
		if status = statusOf(err); !p.mayRepeat(err) {
			break
		}
	}
	p.leaveTrail(w.Header())
	http.Error(w, http.StatusText(status), status)
}

// tries is how many servers a request may be passed to.
func (b *Balancer) tries() int {
	n := 0
	for _, s := range b.config.Servers {
		if !s.Down {
			n++
		}
	}
	return max(n, 1)
}

func (p *passage) method() probes.Method { return cmp.Or(p.faults.Method, p.balancer.config.Method) }

// named returns the server that the client's cookie names.
func (p *passage) named() string {
	cookie, err := p.request.Cookie(p.balancer.config.Cookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// mayRepeat reports whether the request may go to another server: one that
// changes something only if it cannot have arrived.
func (p *passage) mayRepeat(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return p.request.Method != http.MethodPost || ok && op.Op == "dial"
}

func statusOf(err error) int {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// forward sends the request to a server.
func (p *passage) forward(server int) (*http.Response, error) {
	r := p.request
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", p.worker.servers[server].Name
	out.Host, out.RequestURI = r.Host, ""
	out.Body, out.ContentLength, out.TransferEncoding = http.NoBody, int64(len(p.body)), nil
	if len(p.body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(p.body))
	}
	dropHopByHop(out.Header)
	if wantsUpgrade(r) && !p.faults.NoUpgrade {
		out.Header.Set("Connection", "Upgrade")
		out.Header.Set("Upgrade", r.Header.Get("Upgrade"))
	}
	out.Header.Set("X-Real-IP", p.client)
	out.Header.Add("X-Forwarded-For", p.client)
	return p.balancer.transport.RoundTrip(out)
}

// relay passes a server's answer to the client. Not before it is through does
// the account hear of it.
func (p *passage) relay(w http.ResponseWriter, resp *http.Response, server int) {
	defer p.worker.finished(server)
	defer resp.Body.Close()
	name := p.worker.servers[server].Name
	header := w.Header()
	maps.Copy(header, resp.Header)
	header.Del("Date") // as nginx does, which shows its own
	header.Del("Server")
	p.leaveTrail(header)
	if p.method() == probes.MethodCookie && p.named() != name {
		http.SetCookie(w, &http.Cookie{Name: p.balancer.config.Cookie, Value: name, Path: "/"})
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		p.tunnel(w, resp)
		return
	}
	dropHopByHop(header)
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // the client must see that the answer is cut
	}
}

// tunnel passes bytes both ways until one end has enough. The answer's header
// is the one of w.
func (p *passage) tunnel(w http.ResponseWriter, resp *http.Response) {
	server, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	ctx, cancel := context.WithCancel(p.request.Context())
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		io.Copy(server, buffered)
	})
	answer := http.Response{StatusCode: resp.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: w.Header()}
	if answer.Write(client) == nil {
		io.Copy(client, server)
	}
	cancel()
	wg.Wait()
}

// leaveTrail shows the servers tried.
func (p *passage) leaveTrail(h http.Header) {
	if name := p.balancer.config.UpstreamHeader; name != "" && len(p.trail) > 0 {
		h.Set(name, strings.Join(p.trail, ", "))
	}
}

// dropHopByHop removes what concerns one connection and not the message.
func dropHopByHop(h http.Header) {
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
}
