package demo

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A proxiedRequest is a request that the balancer passes on.
type proxiedRequest struct {
	balancer       *Balancer
	generation     *generation
	scheduler      scheduler
	selection      selection
	request        *http.Request
	body           []byte   // kept for retries
	upstreamsTried []string // the servers tried, as $upstream_addr lists them
}

// logged returns the balancer, which logs its requests if that is configured.
func (b *Balancer) logged() http.Handler {
	if b.config.Log == nil {
		return b
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			aborted := recover()
			if aborted != nil {
				answer.status = statusClientClosed
			}
			b.config.Log(r, answer.status, time.Since(began))
			if aborted != nil {
				panic(aborted)
			}
		}()
		b.ServeHTTP(&answer, r)
	})
}

// statusClientClosed is what nginx logs for a client that closed its connection before the answer.
const statusClientClosed = 499

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController take over the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP passes a request to a server, and to the next one when the server does not
// answer, if the product does that. Any HTTP status counts as an answer.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := b.Faults()
	if f.Status != 0 {
		http.Error(w, http.StatusText(f.Status), f.Status)
		return
	}
	config := b.config.Cache
	if f.Cache.TTL > 0 {
		config = f.Cache
	}
	pass := func(w http.ResponseWriter, r *http.Request) { b.pass(w, r, f) }
	if !config.concerns(r) {
		pass(w, r)
		return
	}
	b.cache.serve(config, w, r, pass)
}

// pass passes a request to the servers.
func (b *Balancer) pass(w http.ResponseWriter, r *http.Request, f BalancerFaults) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
		return
	}
	g := b.generation.Load()
	p := &proxiedRequest{
		balancer: b, generation: g, scheduler: g.schedulers[b.turn(r.Context())%uint64(len(g.schedulers))],
		selection: selection{client: b.client(r, f).String(), request: r, faults: f}, request: r, body: body,
	}
	p.serve(w)
}

func (p *proxiedRequest) serve(w http.ResponseWriter) {
	var failure error
	for {
		server, ok := p.scheduler.choose(&p.selection, time.Now())
		if !ok {
			p.upstreamsTried = append(p.upstreamsTried, p.balancer.config.Name) // no live upstreams
			break
		}
		p.selection.tried = append(p.selection.tried, server)
		p.upstreamsTried = append(p.upstreamsTried, p.generation.servers[server].Name)
		resp, err := p.forward(server)
		if err == nil {
			p.copyResponse(w, resp, server)
			return
		}
		if p.request.Context().Err() != nil { // the client disconnected, which no product counts as a failure
			p.scheduler.finished(server)
			panic(http.ErrAbortHandler)
		}
		failure = err
		p.scheduler.failed(server, err, time.Now())
		if wait, again := p.scheduler.retry(&p.selection, err); !again || !sleep.For(p.request.Context(), wait) {
			break
		}
	}
	p.setUpstreamHeader(w.Header())
	status := p.scheduler.status(failure)
	http.Error(w, http.StatusText(status), status)
}

// forward sends the request to a server.
func (p *proxiedRequest) forward(server int) (*http.Response, error) {
	r := p.request
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", p.generation.servers[server].Name
	out.Host, out.RequestURI = r.Host, ""
	out.Body, out.ContentLength, out.TransferEncoding = http.NoBody, int64(len(p.body)), nil
	if len(p.body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(p.body))
	}
	dropHopByHop(out.Header)
	if wantsUpgrade(r) && !p.selection.faults.NoUpgrade {
		out.Header.Set("Connection", "Upgrade")
		out.Header.Set("Upgrade", r.Header.Get("Upgrade"))
	}
	out.Header.Set("X-Real-IP", p.selection.client)
	out.Header.Add("X-Forwarded-For", p.selection.client)
	return p.balancer.transport.RoundTrip(out)
}

// copyResponse passes a server's answer to the client, and then reports the end of the
// request to the scheduler.
func (p *proxiedRequest) copyResponse(w http.ResponseWriter, resp *http.Response, server int) {
	defer p.scheduler.finished(server)
	defer resp.Body.Close()
	header := w.Header()
	maps.Copy(header, resp.Header)
	header.Del("Date") // nginx sends its own
	header.Del("Server")
	p.setUpstreamHeader(header)
	p.scheduler.answered(&p.selection, server, header, time.Now())
	if resp.StatusCode == http.StatusSwitchingProtocols {
		p.tunnel(w, resp)
		return
	}
	dropHopByHop(header)
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // the client must see that the answer is incomplete
	}
}

// tunnel copies bytes in both directions until one end closes. w has the header of the
// answer.
func (p *proxiedRequest) tunnel(w http.ResponseWriter, resp *http.Response) {
	server, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	ctx, cancel := context.WithCancel(p.request.Context())
	defer panics.AfterContext(ctx, panics.Daemon, func() {
		client.Close()
		server.Close()
	})()
	var wg panics.Group
	wg.Go(func() {
		defer cancel()
		_, _ = io.Copy(server, buffered)
	})
	answer := http.Response{StatusCode: resp.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: w.Header()}
	if answer.Write(client) == nil {
		_, _ = io.Copy(client, server)
	}
	cancel()
	wg.Wait()
}

// setUpstreamHeader sets the header with the servers tried.
func (p *proxiedRequest) setUpstreamHeader(h http.Header) {
	if name := p.balancer.config.UpstreamHeader; name != "" && len(p.upstreamsTried) > 0 {
		h.Set(name, strings.Join(p.upstreamsTried, ", "))
	}
}

// dropHopByHop removes headers that apply to one connection only.
func dropHopByHop(h http.Header) {
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
}

// A CacheConfig configures a cache in front of a balancer. It caches complete answers
// with status 200 to GET requests, by host and URI, as nginx's proxy_cache does. It
// ignores Vary. The zero value caches nothing.
type CacheConfig struct {
	// TTL is the lifetime of an answer that does not define its own, as in
	// proxy_cache_valid. 0: no cache.
	TTL time.Duration

	// IgnoreCacheControl and IgnoreSetCookie cache answers that must not be cached, as
	// proxy_ignore_headers does. With both, clients get each other's sessions.
	IgnoreCacheControl bool
	IgnoreSetCookie    bool

	// OnlyWithoutCookie bypasses the cache for requests with a cookie, as
	// proxy_cache_bypass and proxy_no_cache do with $http_cookie.
	OnlyWithoutCookie bool
}

// concerns reports whether a request may be answered from the cache.
func (c CacheConfig) concerns(r *http.Request) bool {
	return c.TTL > 0 && r.Method == http.MethodGet && !wantsUpgrade(r) &&
		(!c.OnlyWithoutCookie || r.Header.Get("Cookie") == "")
}

// ttl returns the lifetime of an answer; 0: it must not be cached.
func (c CacheConfig) ttl(status int, header http.Header) time.Duration {
	if status != http.StatusOK || header.Get("Set-Cookie") != "" && !c.IgnoreSetCookie {
		return 0
	}
	ttl := c.TTL
	if c.IgnoreCacheControl {
		return ttl
	}
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0
		case "max-age", "s-maxage":
			if seconds, err := strconv.Atoi(value); err == nil {
				ttl = time.Duration(seconds) * time.Second
			}
		}
	}
	return ttl
}

// maxCached limits the answers in a cache. A full cache is emptied.
const maxCached = 1000

// A cache stores answers. The zero value is an empty cache.
type cache struct {
	mu      sync.Mutex
	answers map[string]cachedAnswer
}

type cachedAnswer struct {
	header  http.Header
	body    []byte
	expires time.Time
}

func cacheKey(r *http.Request) string { return r.Host + r.URL.RequestURI() }

// serve answers a request from the cache, or calls next and caches its answer.
func (c *cache) serve(config CacheConfig, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	if a, ok := c.lookup(cacheKey(r), time.Now()); ok {
		maps.Copy(w.Header(), a.header.Clone())
		_, _ = w.Write(a.body)
		return
	}
	recorder := &answerRecorder{statusWriter: statusWriter{ResponseWriter: w, status: http.StatusOK}}
	next(recorder, r)
	if ttl := config.ttl(recorder.status, recorder.header); ttl > 0 && recorder.complete() {
		c.store(cacheKey(r), cachedAnswer{recorder.header, recorder.body.Bytes(), time.Now().Add(ttl)})
	}
}

func (c *cache) lookup(key string, now time.Time) (cachedAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[key]
	return a, ok && now.Before(a.expires)
}

func (c *cache) store(key string, a cachedAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) >= maxCached {
		c.answers = make(map[string]cachedAnswer)
	}
	c.answers[key] = a
}

// An answerRecorder passes an answer on and records up to maxBody bytes of it.
type answerRecorder struct {
	statusWriter
	header http.Header // header as sent; nil: nothing was sent
	body   bytes.Buffer
}

func (r *answerRecorder) WriteHeader(status int) {
	r.header = r.Header().Clone()
	r.statusWriter.WriteHeader(status)
}

func (r *answerRecorder) Write(part []byte) (int, error) {
	if r.header == nil {
		r.WriteHeader(http.StatusOK)
	}
	if r.complete() {
		r.body.Write(part)
	}
	return r.ResponseWriter.Write(part)
}

// complete reports whether the whole answer was recorded.
func (r *answerRecorder) complete() bool { return r.body.Len() <= maxBody }
