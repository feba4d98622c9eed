// Package users simulates a population of reference users: simple HTTP clients that use
// an application as people do and record the outcome of each request.
//
// Their log is the ground truth that stickwatch's judgement is compared with, so they
// share no code with package probes. A user has a cookie jar, a client address and a
// pacing. It holds one session, writes its own values into it, and compares each value
// that it reads with the one that it wrote. It knows neither the configuration of the
// balancer nor the state of the nodes.
package users

import (
	"cmp"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"sync"
	"time"
)

// A Config describes the users and the application that they use.
type Config struct {
	URL    string // root of the balancer, without a trailing slash
	Page   Page   // zero value: Generic
	Sticky bool   // sessions belong to one node, so an answer from another one is Moved

	Users   int      // number of users; 0: 20
	Pacings []Pacing // assigned to equally many users each; nil: defaultPacings
	Seed    uint64   // seed of the users' timing

	// Client returns the client address of user number n, from 1; nil: defaultClient.
	// ClientHeader is the request header that carries the address; "": none. FromClient
	// makes the user connect from that address, which must belong to this machine, such
	// as 127.0.0.0/8.
	Client       func(n int) netip.Addr
	ClientHeader string
	FromClient   bool

	// Dial opens connections; nil: a net.Dialer. It is ignored with FromClient.
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS     *tls.Config   // the authorities that they trust; nil: the system's
	Timeout time.Duration // limit for a whole request; 0: 10 s
}

// A Population is a set of users who use one application at the same time, each in its
// own goroutine.
type Population struct {
	config Config
	users  []*user
	log    *Log

	mu     sync.Mutex
	owners map[string]int // session id -> user that received it first
}

// New returns a population whose users have not started.
func New(c Config) *Population {
	c.Users = cmp.Or(c.Users, 20)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Page.Path == "" {
		c.Page = Generic
	}
	if c.Pacings == nil {
		c.Pacings = defaultPacings
	}
	if c.Client == nil {
		c.Client = defaultClient
	}
	population := &Population{config: c, log: NewLog(), owners: make(map[string]int)}
	for i, pacing := range c.shuffledPacings() {
		population.users = append(population.users, population.newUser(i+1, pacing))
	}
	return population
}

// defaultClient returns 10.0.n.n. The third byte differs because nginx's ip_hash reads
// only the first three. The last byte differs because HAProxy's `source` takes the
// whole address modulo the number of servers: with two servers, the last bit alone
// decides.
func defaultClient(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(n)})
}

// shuffledPacings returns the pacing of each user. The order is random because
// consecutive addresses go to the nodes in turn, and each node should have users of
// every pacing.
func (c Config) shuffledPacings() []Pacing {
	pacings := make([]Pacing, c.Users)
	for i := range pacings {
		pacings[i] = c.Pacings[i%len(c.Pacings)]
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	random.Shuffle(len(pacings), func(i, j int) { pacings[i], pacings[j] = pacings[j], pacings[i] })
	return pacings
}

func (p *Population) newUser(number int, pacing Pacing) *user {
	u := &user{
		number: number, population: p, addr: p.config.Client(number), pacing: pacing,
		random: rand.New(rand.NewPCG(p.config.Seed, uint64(number))),
	}
	jar, _ := cookiejar.New(nil) // never fails without options
	u.http = &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DialContext: p.dialer(u.addr), TLSClientConfig: p.config.TLS, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: limitRedirects,
	}
	return u
}

// limitRedirects follows five redirects and returns the answer after the fifth as it
// is.
func limitRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

// dialer returns the function that opens the connections of a user at addr.
func (p *Population) dialer(addr netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	switch {
	case p.config.FromClient:
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: addr.AsSlice()}}).DialContext
	case p.config.Dial != nil:
		return p.config.Dial
	default:
		return new(net.Dialer).DialContext
	}
}

// Run starts the users. It returns when ctx has ended and all of them have stopped.
func (p *Population) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, u := range p.users {
		wg.Go(func() { u.run(ctx) })
	}
	wg.Wait()
}

// Log returns the log of requests. It may be read while users run.
func (p *Population) Log() *Log { return p.log }

// ownedByAnother reports whether another user received the session first.
func (p *Population) ownedByAnother(id string, number int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	owner, known := p.owners[id]
	return known && owner != number
}

// recordOwner records which user received a session first.
func (p *Population) recordOwner(id string, number int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.owners[id]; !known {
		p.owners[id] = number
	}
}
